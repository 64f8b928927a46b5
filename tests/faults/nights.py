"""Nights of one shop, each behind a proxy of its own, and the proof that one has ended well."""

import contextlib
import json
import subprocess
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import yaml
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from lib.manifest import Manifest, read_manifest
from lib.plan import Plan
from lib.runs import Run
from lib.storage import Storage, StorageConfig
from tests.conftest import REGION, Bucket
from tests.faults.proxy import FaultProxy, Faults
from tests.local_ray import start

OF_A_RUN = ("run_id", "classified_at")
UNIT_SIZE = 4
LONGEST_S = 200
Rows = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Shop:
    """A bucket with a catalog and a bundle, a folder of run files, and Ray's address."""

    bucket: Bucket
    folder: Path
    ray_address: str

    @property
    def storage(self) -> Storage:
        """The store itself, past every proxy."""
        return Storage(StorageConfig.model_validate(self.keys(self.bucket.server.endpoint)))

    def keys(self, endpoint: str) -> dict[str, str]:
        server = self.bucket.server
        keys = {"access_key_id": server.key, "secret_access_key": server.secret}
        return {"endpoint_url": endpoint, "region": REGION, **keys}

    def copy(self, folder: str, other: str) -> None:
        """Copy all objects below a folder of the bucket."""
        client, name = self.bucket.server.client, self.bucket.name
        for key in self.bucket.list_keys():
            if key.startswith(f"{folder}/"):
                source = {"Bucket": name, "Key": key}
                copied = other + key.removeprefix(folder)
                client.copy_object(Bucket=name, Key=copied, CopySource=source)

    def delete(self, key: str) -> None:
        self.bucket.server.client.delete_object(Bucket=self.bucket.name, Key=key)

    def open_table(self, name: str) -> DeltaTable | None:
        """Open a labels table as any reader would, without the code under test."""
        server = self.bucket.server
        options = {
            "AWS_ENDPOINT_URL": server.endpoint,
            "AWS_ACCESS_KEY_ID": server.key,
            "AWS_SECRET_ACCESS_KEY": server.secret,
            "AWS_REGION": REGION,
            "AWS_ALLOW_HTTP": "true",
        }
        with contextlib.suppress(TableNotFoundError):
            return DeltaTable(f"{self.bucket.uri}/{name}", storage_options=options)
        return None

    def version(self, table: str) -> int:
        """Newest version of a table, -1 where there is none."""
        found = self.open_table(table)
        return -1 if found is None else int(found.version())

    def rows(self, table: str) -> pa.Table:
        """Rows of a table, by item, without what differs from run to run."""
        found = self.open_table(table)
        assert found is not None, f"there is no table {table}"
        rows = pa.table(found.to_pyarrow_table()).drop_columns(list(OF_A_RUN))
        return rows.sort_by("item_id").combine_chunks()


class Reader:
    """Reads a table over and over, and keeps what it saw at each version."""

    def __init__(self, shop: Shop, table: str) -> None:
        self._shop, self._table = shop, table
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self.seen: dict[int, set[Rows]] = defaultdict(set)
        self.looks = 0
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        self.look()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._ended.wait(0.25):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001  # `check` shows what a reader was given
                self.error = error
                return

    def look(self) -> None:
        table = self._shop.open_table(self._table)
        columns = ["item_id", "category_id", "error", "run_id"]
        rows = table.to_pyarrow_table(columns=columns).to_pylist() if table else []
        version = int(table.version()) if table else -1
        self.seen[version].add(tuple(sorted(tuple(map(str, row.values())) for row in rows)))
        self.looks += 1


@dataclass
class Night:
    """A run of the shop, whose store is a proxy; the same command any number of times."""

    shop: Shop
    name: str
    images: str = "images"
    table: str = ""
    faults: Faults = field(default_factory=Faults)
    engine: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self.table = self.table or f"{self.name}/labels"
        self.before = self.shop.version(self.table)
        self._started: list[subprocess.Popen[str]] = []
        with contextlib.ExitStack() as stack:
            proxy = FaultProxy(self.shop.bucket.server.endpoint, self.faults)
            self.proxy = stack.enter_context(proxy)
            self.reader = stack.enter_context(Reader(self.shop, self.table))
            stack.callback(self._kill_all)
            self._stack = stack.pop_all()
        self._write_run_file()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _write_run_file(self) -> None:
        uri = self.shop.bucket.uri
        engine = {"device": "cpu", "precision": "fp32", "actors": 1, "cpus_per_actor": 1}
        described = {
            "output": f"{uri}/{self.name}/runs",
            "run_id": self.name,
            "catalog": {"uri": f"{uri}/{self.images}/"},
            "bundle": f"{uri}/bundle",
            "labels_table": f"{uri}/{self.table}",
            "engine": {**engine, "batch_size": 8, "unit_size": UNIT_SIZE, **self.engine},
            "gates": {"max_error_rate": 0.2},
            "storage": self.shop.keys(self.proxy.url),
        }
        self.run_file = str(self.shop.folder / f"{self.name}.yaml")
        Path(self.run_file).write_text(yaml.safe_dump(described | dict(self.settings)))

    @property
    def run(self) -> Run:
        uri = f"{self.shop.bucket.uri}/{self.name}/runs/{self.name}"
        return Run(self.name, uri, self.shop.storage)

    @property
    def manifest(self) -> Manifest:
        found = read_manifest(self.run.uri, self.shop.storage)
        assert found is not None
        return found

    def start(self, *options: str, ray: str | None = None) -> subprocess.Popen[str]:
        """Start the command; `ray` is "" for a Ray of its own."""
        address = self.shop.ray_address if ray is None else ray
        arguments = [self.run_file, *options]
        process = start("jobs.classify", *arguments, environment={"RAY_ADDRESS": address})
        self._started.append(process)
        return process

    def finish(self, *options: str, ray: str | None = None) -> None:
        """Run the command again, to its end."""
        code, _, stderr = ended(self.start(*options, ray=ray))
        assert code == 0, stderr

    def _kill_all(self) -> None:
        for process in self._started:
            kill(process)

    @property
    def wasted(self) -> tuple[int, int]:
        """Units whose shard was written more than once, and all units."""
        written = self.proxy.written(f"/{self.name}/runs/{self.name}/shards/unit-")
        units = Plan(self.run.at("plan.parquet"), self.shop.storage).units
        return sum(times > 1 for times in written.values()), len(units)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for a job; give its exit code, and what it said on stdout and stderr."""
    try:
        stdout, stderr = process.communicate(timeout=LONGEST_S)
    finally:
        process.kill()
    return process.returncode, stdout, stderr


def kill(process: subprocess.Popen[str]) -> None:
    """End a process as a power cut would, and take it off the machine's list."""
    process.kill()
    for stream in (process.stdout, process.stderr):
        if stream and not stream.closed:
            stream.close()
    process.wait()


def check(nights: Sequence[Night], expected: pa.Table) -> None:
    """Hold what nights have published in one table against what undisturbed ones published.

    Each item of the snapshots is one row, with the undisturbed label; each night was one commit;
    and the reader saw the table before, after, and between two commits, and nothing else.
    """
    shop, table = nights[0].shop, nights[0].table
    item_ids: set[str] = set()
    for night in nights:
        item_ids |= set(night.run.read_table("snapshot.parquet")["item_id"].to_pylist())
        planned = night.run.read_table("plan.parquet").num_rows
        totals = night.manifest.totals
        assert totals.items == planned == totals.labelled + totals.error_count
        assert night.run.outcome is not None
    rows = shop.rows(table)
    assert rows["item_id"].to_pylist() == sorted(item_ids)
    assert rows.equals(expected)
    versions = range(nights[0].before, nights[0].before + len(nights) + 1)
    assert shop.version(table) == versions[-1]
    for night in nights:
        check_reader(night.reader, versions)
        wasted, units = night.wasted
        fraction = wasted / units if units else 0
        found = {"night": night.name, "wasted": wasted, "units": units, "fraction": fraction}
        print(json.dumps({**found, **night.proxy.counts}))  # noqa: T201  # the suite's own report


def check_reader(reader: Reader, versions: Sequence[int]) -> None:
    """Hold what a reader saw against the versions that there may be."""
    if reader.error:
        raise reader.error
    reader.look()
    assert set(reader.seen) <= set(versions)
    assert versions[-1] in reader.seen
    assert {version: len(states) for version, states in reader.seen.items()} == dict.fromkeys(
        reader.seen, 1
    )
    assert reader.looks > len(reader.seen)

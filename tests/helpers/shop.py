"""A shop, whose nights are disturbed, and a reader of its labels table, who is not."""

import contextlib
import threading
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from tests.conftest import REGION, Bucket
from tests.helpers import catalogs

FILES = {**catalogs.pictures(36), **catalogs.BROKEN_FILES}
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

    def bring_back(self, folder: str, kept: str) -> None:
        """Make a folder what a copy of it is."""
        for key in self.bucket.list_keys():
            if key.startswith(f"{folder}/"):
                self.delete(key)
        self.copy(kept, folder)

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
        return catalogs.without_run(found)


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

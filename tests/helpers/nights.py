"""Nights of one shop, each behind a proxy of its own, and how to end them."""

import contextlib
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from lib.runs.manifest import Manifest, read_manifest
from lib.runs.plan import Plan
from lib.runs.run import Run
from pipelines.classify_plan import read_night
from tests.helpers.jobs import start, wait_until
from tests.helpers.proxy import FaultProxy, Faults
from tests.helpers.shop import Reader, Shop

UNIT_SIZE = 4
LONGEST_S = 200
# these nights are small, and an untrained network's labels follow every pixel
OPEN_GATES = {"max_error_rate": 0.5, "max_category_changes": None, "max_mix_shift": None}
# What libraries say beside our sentence: object_store panics where an upload in parts fails, which
# Delta survives.
NOISE = re.compile(
    r"(?ms)^\nthread '[^']*' \S* ?panicked at .*?^note: [^\n]*\n"
    r"|^[^\n]*logging\.cc[^\n]*\n"  # Ray's, of its own log
)


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
            "embeddings": f"{uri}/{self.name}/embeddings",
            "engine": {**engine, "batch_size": 8, "unit_size": UNIT_SIZE, **self.engine},
            "gates": OPEN_GATES,
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
        found = read_manifest(self.run)
        assert found is not None
        return found

    def start(self, *options: str, ray: str | None = None) -> subprocess.Popen[str]:
        """Start the command; `ray` is "" for a Ray of its own."""
        address = self.shop.ray_address if ray is None else ray
        arguments = [self.run_file, *options]
        process = start("jobs.classify", *arguments, environment={"RAY_ADDRESS": address})
        self._started.append(process)
        return process

    def start_until(
        self, request: str, *, after: bool = False, ray: str | None = None
    ) -> subprocess.Popen[str]:
        """Start the command, and return while the proxy holds a request of it."""
        self.proxy.hold(request, after=after)
        driver = self.start(ray=ray)
        wait_until(lambda: self.proxy.held > 0 or driver.poll() is not None, at_most_s=LONGEST_S)
        assert driver.poll() is None, driver.communicate()
        return driver

    def kill_at(self, request: str, *, after: bool = False) -> None:
        """Kill the command while the store has not got a request, or not answered it."""
        kill(self.start_until(request, after=after))
        self.proxy.drop()

    def finish(self, *options: str, ray: str | None = None) -> str:
        """Run the command, or run it again, to its end; return what it said."""
        return succeeded(self.start(*options, ray=ray))

    @property
    def changes(self) -> int:
        """Items that the night does to the table."""
        plan = read_night(self.run)
        assert plan is not None
        return plan.diff.planned + plan.diff.removed

    def _kill_all(self) -> None:
        for process in self._started:
            kill(process)

    @property
    def wasted(self) -> tuple[int, int]:
        """Units whose shard was written more than once, and all units."""
        written = self.proxy.written(f"/{self.name}/runs/{self.name}/shards/unit-")
        units = Plan(self.run).units
        return sum(times > 1 for times in written.values()), len(units)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for a job; return its exit code, and what it said on stdout and stderr."""
    try:
        stdout, stderr = process.communicate(timeout=LONGEST_S)
    finally:
        process.kill()
    return process.returncode, stdout, stderr


def succeeded(process: subprocess.Popen[str]) -> str:
    """Wait for a job that must end well; return what it said."""
    code, stdout, stderr = ended(process)
    assert code == 0, stderr
    return stdout


def kill(process: subprocess.Popen[str]) -> None:
    """End a process as a power cut would, and take it off the machine's list."""
    process.kill()
    for stream in (process.stdout, process.stderr):
        if stream and not stream.closed:
            stream.close()
    process.wait()


def shard(unit: int) -> str:
    """Find the request that writes a unit's shard."""
    return f"^PUT .*/shards/unit-{unit:07d}"


def sentences(stderr: str) -> int:
    """Lines on stderr, without what libraries say there."""
    return len(NOISE.sub("", stderr).splitlines())

# ruff: noqa: T201  # they speak to a person
"""What the engine itself costs: a million items through all of it, with nothing to classify.

    python -m benchmarks.bench_engine [--items N]

Fetching, decoding and the model are stand-ins (benchmarks/standins.py); all else is the real
thing: the catalog is frozen and planned, Ray Data streams the units over four nodes, shards are
written, compacted, judged and published. The first command is stopped half way, so that the second
one resumes. Its last line is one JSON object; the exit code is 1 where a goal is missed.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks import needs


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    return parser.parse_args()


if __name__ == "__main__":  # before what takes seconds to import
    items = arguments().items
    needs.check(needs.memory_gib(4), needs.disk_gib(1 + items / 4e5))

import psutil
import pyarrow as pa
import ray
from pyarrow import parquet
from ray.cluster_utils import Cluster

from lib.cluster.classify_units import classify_units
from lib.config.config import load_config
from lib.runs.receipt import Receipt
from pipelines import classify as job

NODES = 4
GOALS = {
    "overhead_us_per_item": 50.0,
    "driver_memory_gib": 1.0,
    "plan_s": 30.0,
    "resume_s": 30.0,
    "publish_s": 60.0,
}
LOOK_S = 0.1
WARM_UNITS = 80


class HalfWayError(Exception):
    """The first command is stopped."""


class Watch:
    """Samples the CPU time of all processes of the benchmark, and the driver's memory."""

    def __init__(self) -> None:
        """Begin to look."""
        self._cpu_s: dict[int, float] = {}
        self.memory: list[tuple[float, int]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def cpu_s(self) -> float:
        """CPU seconds so far, of processes that have ended too."""
        for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue  # it has just ended
            self._cpu_s[process.pid] = times.user + times.system
        return sum(self._cpu_s.values())

    def peak_gib(self, begun: float, ended: float) -> float:
        """Most memory that the driver had between two moments."""
        return max((rss for at, rss in self.memory if begun <= at <= ended), default=0) / 2**30

    def _look(self) -> None:
        while not self._stop.wait(LOOK_S):
            self.memory.append((time.monotonic(), psutil.Process().memory_info().rss))


class Timed:
    """Stands where the pipeline streams its units: notes when, and stops the first command."""

    def __init__(self, watch: Watch, stop_after: int) -> None:
        """Stop the first stream after so many units."""
        self._watch, self._stop_after = watch, stop_after
        self.begun: list[float] = []
        self.ended = 0.0
        self.items, self.cpu_s, self.wall_s = 0, 0.0, 0.0

    def __call__(self, *arguments: Any) -> Iterator[Receipt]:  # noqa: ANN401  # the pipeline's own
        """Pass the receipts on; until all actors have given some, it is start-up that costs."""
        self.begun.append(time.monotonic())
        first = len(self.begun) == 1
        before: tuple[float, float] | None = None
        for count, receipt in enumerate(classify_units(*arguments), 1):
            if count == WARM_UNITS:
                before = self._watch.cpu_s(), time.monotonic()
            elif before:
                self.items += receipt.items
            yield receipt
            if first and count == self._stop_after:
                break
        assert before
        self.cpu_s += self._watch.cpu_s() - before[0]
        self.wall_s += time.monotonic() - before[1]
        self.ended = time.monotonic()
        if first:
            raise HalfWayError


def write_catalog(path: Path, items: int) -> None:
    """Write a manifest of images that nobody will read."""
    names = pa.array([f"{number:09d}.jpg" for number in range(items)])
    etags = pa.array([f"{number:032x}" for number in range(items)])
    table = pa.table({"item_id": names, "uri": names, "etag": etags})
    parquet.write_table(table, path)


def measure(folder: Path, items: int) -> dict[str, Any]:
    """Run both commands; return the figures."""
    write_catalog(folder / "catalog.parquet", items)
    prepare = [sys.executable, "-m", "benchmarks.standins", str(folder / "bundle")]
    standins_us = float(subprocess.run(prepare, check=True, capture_output=True).stdout)  # noqa: S603  # our own program
    described = {
        "output": str(folder / "runs"),
        "run_id": "engine",
        "catalog": {"uri": str(folder / "catalog.parquet")},
        "bundle": str(folder / "bundle"),
        "labels_table": str(folder / "labels"),
        "engine": {"device": "cpu", "actors": NODES, "cpus_per_actor": 1},
        "gates": {"max_review_share": None},
    }
    config = load_config(job.ClassifyRun, json.dumps(described), "bench_engine")
    watch = Watch()
    timed = Timed(watch, stop_after=items // config.engine.unit_size // 2)
    with patch("lib.cluster.classify_units.classify_units", timed):
        started = time.monotonic()
        try:
            job.classify(config, job.Options(), print)
        except HalfWayError:
            print("stopped half way; the same command again")
        resumed = time.monotonic()
        job.classify(config, job.Options(), print)
        ended = time.monotonic()
    phases = {
        "plan": watch.peak_gib(started, timed.begun[0]),
        "stream": watch.peak_gib(timed.begun[0], timed.ended),
        "publish": watch.peak_gib(timed.ended, ended),
    }
    third = (timed.ended - timed.begun[1]) / 3
    growth = watch.peak_gib(timed.ended - third, timed.ended) - watch.peak_gib(
        timed.begun[1] + third, timed.ended - third
    )
    return {
        "items": items,
        "units": parquet.read_metadata(folder / "runs/engine/plan.parquet").num_row_groups,
        "nodes": NODES,
        "overhead_us_per_item": round(timed.cpu_s / timed.items * 1e6 - standins_us, 1),
        "standins_us_per_item": round(standins_us, 2),
        "items_per_s": round(timed.items / timed.wall_s),
        "driver_memory_gib": round(max(phases.values()), 3),
        "driver_memory_gib_by_phase": {name: round(gib, 3) for name, gib in phases.items()},
        "driver_growth_mib": round(growth * 1024, 1),  # over the last third of the stream
        "plan_s": round(timed.begun[0] - started, 1),
        "resume_s": round(timed.begun[1] - resumed, 2),
        "publish_s": round(ended - timed.ended, 1),
        "cores": os.cpu_count(),
    }


def main() -> int:
    """Measure on a cluster of four nodes, and print one JSON object."""
    items = arguments().items
    os.environ["RAY_BACKEND_LOG_LEVEL"] = "fatal"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        for _ in range(NODES):
            cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20)
        ray.init(
            address=cluster.address,
            logging_level=logging.ERROR,
            log_to_driver=False,
            runtime_env={
                "worker_process_setup_hook": "benchmarks.standins.install",
                "env_vars": {"PYTHONPATH": str(Path(__file__).resolve().parents[1])},
            },
        )
        with tempfile.TemporaryDirectory() as folder:
            figures = measure(Path(folder), items)
    finally:
        ray.shutdown()
        cluster.shutdown()
    missed = [name for name, goal in GOALS.items() if figures[name] > goal]
    for name in missed:
        print(f"{name}: {figures[name]} is more than {GOALS[name]}")
    print(json.dumps(figures))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

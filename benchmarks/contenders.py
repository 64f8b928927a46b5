# ruff: noqa: S603  # they run our own scripts
"""Runs a contender as a user would, as a process of its own, and measures it from outside."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from lib.runs.receipt import Receipt
from lib.runs.shards import RECEIPT_KEY

EVERY_S = 1.0  # a sample of all processes takes some 50 ms of a core
DAFT = Path(__file__).parent / "out" / "peers"  # with the older pyarrow that it wants


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One run of one contender.

    Attributes:
        images: how many it classified.
        seconds: from the command to its end.
        steady: images/s between the first and the last rows that were done.
        first_s: from the command to the first rows done: a shard, or a batch of a peer.
        peak_memory_gib: of all its processes together, each page counted once.
        cpu_s: of all its processes that were seen, and so a little too low.
    """

    images: int
    seconds: float
    steady: float
    first_s: float
    peak_memory_gib: float
    cpu_s: float

    def __str__(self) -> str:
        """Write it as JSON."""
        return json.dumps(asdict(self))


class Watch:
    """Samples memory and CPU time of all processes that bear a marker, on a thread."""

    def __init__(self, marker: str) -> None:
        """Begin."""
        self.peak_bytes, self._cpu = 0, dict[int, float]()
        self._marker, self._known = marker, dict[psutil.Process, bool]()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all processes that were seen."""
        return sum(self._cpu.values())

    def end(self) -> None:
        """Stop sampling."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(EVERY_S):
            total = 0
            for process in self._processes():
                try:
                    times = process.cpu_times()
                    self._cpu[process.pid] = times.user + times.system
                    total += process.memory_full_info().pss
                except psutil.Error:
                    continue
            self.peak_bytes = max(self.peak_bytes, total)

    def _processes(self) -> list[psutil.Process]:
        # Ray's daemons leave the tree, but keep the environment
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                # one that has just been forked may yet get its own environment
                if process not in self._known and time.time() - process.create_time() > EVERY_S:
                    marker = process.environ().get("RESHELVE_BENCH")
                    self._known[process] = marker == self._marker
        return [process for process, ours in self._known.items() if ours and process.is_running()]


def run(
    command: Sequence[str], environment: Mapping[str, str], limit_s: float
) -> tuple[float, float, Watch]:
    """Run a command; return when it began, its seconds, and what was watched.

    Raises:
        SystemExit: it failed; with the end of what it said.
    """
    marker = f"{os.getpid()}-{time.monotonic_ns()}"
    began = time.time()
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        env={**os.environ, **environment, "RESHELVE_BENCH": marker},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watch = Watch(marker)
    try:
        said, _ = process.communicate(timeout=limit_s)
    finally:
        process.kill()
        watch.end()
    seconds = time.time() - began
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}\n{said[-2000:]}")
    return began, seconds, watch


def measured(
    began: float, seconds: float, watch: Watch, done: Sequence[tuple[float, int]]
) -> Measured:
    """Put together what was measured, from moments and the rows that were done at each."""
    done = sorted(done)
    (first, rows), last = done[0], done[-1][0]
    images = sum(count for _, count in done)
    return Measured(
        images=images,
        seconds=round(seconds, 2),
        steady=round((images - rows) / max(last - first, 1e-9), 1),
        first_s=round(first - began, 2),
        peak_memory_gib=round(watch.peak_bytes / 2**30, 2),
        cpu_s=round(watch.cpu_s, 1),
    )


def run_reshelve(run_file: Path, run_id: str, runs: Path, limit_s: float) -> Measured:
    """Classify with Reshelve, plan to manifest."""
    from pyarrow import parquet  # noqa: PLC0415  # this module is read by peers' parents, too

    command = ["jobs.classify", str(run_file), "--no-publish", "--set", f"run_id={run_id}"]
    began, seconds, watch = run(command, {}, limit_s)
    done = []
    for path in (runs / run_id / "shards").glob("unit-*.parquet"):
        metadata = parquet.read_schema(path).metadata
        items = Receipt.model_validate_json(metadata[RECEIPT_KEY]).items
        done.append((path.stat().st_mtime, items))
    return measured(began, seconds, watch, done)


def run_peer(name: str, options: Mapping[str, str], folder: Path, limit_s: float) -> Measured:
    """Run a peer's script."""
    notes = folder / "notes"
    output = folder / "output"
    output.mkdir(parents=True)
    given = {**options, "notes": str(notes), "output": str(output)}
    arguments = [part for key, value in given.items() for part in (f"--{key}", value)]
    environment = {"PYTHONPATH": str(DAFT)} if name == "daft_images" else {}
    began, seconds, watch = run([f"benchmarks.peers.{name}", *arguments], environment, limit_s)
    done = [line.split() for line in notes.read_text().splitlines()]
    return measured(began, seconds, watch, [(float(at), int(rows)) for at, rows in done])

"""Runs a contender as a user would, as a process of its own, and measures it from outside."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import needs
from benchmarks.timed import Ran, run_timed
from lib.runs.receipt import Receipt
from lib.runs.shards import RECEIPT_KEY


class FailedError(Exception):
    """A contender has no result; says why in a few words."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One run of one contender.

    Attributes:
        images: how many it classified.
        seconds: from the command to its end.
        steady: images/s between the first and the last rows that were done.
        first_s: from the command to the first rows done: a shard, or a batch of a peer.
        peak_memory_gib: of all its processes together, each page counted once.
        cpu_s: of all its processes.
        store_cpu_s: of the store meanwhile, where that is on the same cores.
    """

    images: int
    seconds: float
    steady: float
    first_s: float
    peak_memory_gib: float
    cpu_s: float
    store_cpu_s: float = 0.0

    def __str__(self) -> str:
        """Write it as JSON."""
        return json.dumps(asdict(self))


def measured(ran: Ran, done: Sequence[tuple[float, int]]) -> Measured:
    """Put together what was measured, from moments and the rows that were done at each.

    Raises:
        FailedError: it failed, or did too little for a rate.
    """
    if ran.failure or len(done) < 2:
        raise FailedError(ran.failure or "too few rows were done to tell a rate")
    done = sorted(done)
    (first, rows), last = done[0], done[-1][0]
    images = sum(count for _, count in done)
    return Measured(
        images=images,
        seconds=ran.seconds,
        steady=round((images - rows) / max(last - first, 1e-9), 1),
        first_s=round(first - ran.began, 2),
        peak_memory_gib=ran.peak_memory_gib,
        cpu_s=ran.cpu_s,
    )


def run_reshelve(run_file: Path, run_id: str, runs: Path, limit_s: float) -> Measured:
    """Classify with Reshelve, plan to manifest."""
    from pyarrow import parquet  # noqa: PLC0415  # this module is read by peers' parents, too

    command = ["jobs.classify", str(run_file), "--no-publish", "--set", f"run_id={run_id}"]
    ran = run_timed(command, limit_s, run_file.with_suffix(".log"))
    done = []
    for path in (runs / run_id / "shards").glob("unit-*.parquet"):
        metadata = parquet.read_schema(path).metadata
        items = Receipt.model_validate_json(metadata[RECEIPT_KEY]).items
        done.append((path.stat().st_mtime, items))
    return measured(ran, done)


def run_peer(name: str, options: Mapping[str, str], folder: Path, limit_s: float) -> Measured:
    """Run a peer's script."""
    notes = folder / "notes"
    output = folder / "output"
    output.mkdir(parents=True)
    given = {**options, "notes": str(notes), "output": str(output)}
    arguments = [part for key, value in given.items() for part in (f"--{key}", value)]
    # Daft comes with the older pyarrow that it wants
    installed = str(needs.peers_folder("bench"))
    environment = {"PYTHONPATH": installed} if name == "daft_images" else {}
    command = [f"benchmarks.peers.{name}", *arguments]
    ran = run_timed(command, limit_s, folder / "log", environment)
    done = [line.split() for line in notes.read_text().splitlines()] if notes.exists() else []
    return measured(ran, [(float(at), int(rows)) for at, rows in done])

# ruff: noqa: T201  # they speak to a person
"""What fifty kills of one run cost: units done again, compared with those in flight at each kill.

    python -m benchmarks.bench_kills [--kills N] [--seed N]

The job, its Ray and all its workers are killed at random moments, one in three before its first
unit and the others in the seconds after it, and the same command is run again. At the end the rows
are compared with those of a run that nobody disturbed.
"""

import argparse
import contextlib
import json
import os
import random
import subprocess
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path

from benchmarks import needs


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":  # before what takes seconds to import
    arguments()
    needs.check(needs.memory_gib(3), needs.disk_gib(2))

import pyarrow as pa
import yaml
from pyarrow import parquet

from lib.schemas import LABELS_SCHEMA
from tests.helpers import catalogs
from tests.helpers.jobs import start, started_with, wait_until

ITEMS, UNIT_SIZE, PICTURES = 32_000, 64, 64
OF_A_RUN = ["run_id", "classified_at"]
WORKING_S = 3.0  # how long after its first unit a job is killed, at most
EARLY = 1 / 3  # share of the kills that come before it


class Victim:
    """A run that is killed again and again."""

    def __init__(self, folder: Path, name: str) -> None:
        """Write its run file."""
        self._run = folder / "runs" / name
        self._run_file = folder / f"{name}.yaml"
        described = {
            "output": str(folder / "runs"),
            "run_id": name,
            "catalog": {"uri": str(folder / "images")},
            "bundle": str(folder / "bundle"),
            "labels_table": str(folder / f"labels-{name}"),
            "embeddings": str(folder / f"embeddings-{name}"),
            "engine": {"device": "cpu", "precision": "fp32", "unit_size": UNIT_SIZE},
        }
        self._run_file.write_text(yaml.safe_dump(described))

    def start(self, marker: str) -> subprocess.Popen[str]:
        """Start the command; all its processes bear a mark."""
        environment = {"RESHELVE_TEST_MARKER": marker, "RAY_ADDRESS": ""}
        return start("jobs.classify", str(self._run_file), environment=environment)

    def finish(self) -> None:
        """Run the command to its end."""
        process = self.start("none")
        said, errors = process.communicate(timeout=900)
        if process.returncode:
            raise SystemExit(f"exit code {process.returncode}: {said}{errors}")

    @property
    def finished(self) -> set[str]:
        """Units that have their shard."""
        return {path.stem for path in self._run.glob("shards/unit-*.parquet")}

    @property
    def begun(self) -> Counter[str]:
        """How often each unit was begun."""
        names = (path.name for path in self._run.glob("attempts/unit-*"))
        return Counter("-".join(name.split("-")[:2]) for name in names)

    @property
    def rows(self) -> pa.Table:
        """The labels, without what differs from run to run."""
        rows = parquet.read_table(self._run / "labels", schema=LABELS_SCHEMA)
        return rows.sort_by("item_id").drop_columns(OF_A_RUN).combine_chunks()


def kill_once(victim: Victim, dice: random.Random, first_s: float) -> int:
    """Start the command, kill all of it at some moment; return the units that were in flight."""
    before, finished = victim.begun, victim.finished
    marker = uuid.uuid4().hex
    driver = victim.start(marker)
    early = dice.random() < EARLY
    if not early:
        wait_until(lambda: victim.finished > finished or driver.poll() is not None)
    time.sleep(dice.uniform(0, first_s if early else WORKING_S))
    if driver.poll() is not None:
        raise SystemExit("the run has ended before it was killed often enough; raise ITEMS")
    for process in [*started_with(marker)]:
        with contextlib.suppress(Exception):  # some end while others are killed
            process.kill()
    driver.kill()
    driver.communicate()
    wait_until(lambda: not started_with(marker))
    begun = victim.begun - before
    return begun.total() - len(begun.keys() & victim.finished)


def main() -> None:
    """Measure, and print one JSON object."""
    given = arguments()
    dice = random.Random(given.seed)  # noqa: S311  # must repeat
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        drawn = [catalogs.encode(catalogs.draw(number), "jpg") for number in range(PICTURES)]
        for item in range(ITEMS):
            (folder / "images" / f"{item:06d}.jpg").write_bytes(drawn[item % PICTURES])
        catalogs.make_bundle(str(folder / "bundle"))
        undisturbed, victim = Victim(folder, "undisturbed"), Victim(folder, "victim")
        began = time.monotonic()
        process = undisturbed.start("none")
        wait_until(lambda: bool(undisturbed.finished))
        first_s = time.monotonic() - began
        process.communicate(timeout=900)
        in_flight = []
        for number in range(given.kills):
            in_flight.append(kill_once(victim, dice, first_s))
            done = len(victim.finished)
            print(f"kill {number + 1}: {in_flight[-1]} in flight, {done} units done", flush=True)
        victim.finish()
        units = len(victim.finished)
        wasted = victim.begun.total() - units
        figures = {
            "kills": given.kills,
            "units": units,
            "first_shard_s": round(first_s, 1),
            "in_flight": sum(in_flight),
            "most_in_flight": max(in_flight),
            "wasted": wasted,
            "wasted_fraction": round(wasted / units, 4),
            "rows_are_equal": victim.rows.equals(undisturbed.rows),
            "cores": os.cpu_count(),
        }
    print(json.dumps(figures))
    if wasted > figures["in_flight"] or not figures["rows_are_equal"]:
        raise SystemExit("more was wasted than was in flight, or rows differ")


if __name__ == "__main__":
    main()

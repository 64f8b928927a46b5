# ruff: noqa: T201  # they speak to a person
"""What a night takes of pictures that are small files and many pixels.

    python -m benchmarks.bench_hostile [--images N]

The catalog is 200 files, most of them lossless WebP of 38 bytes and 64 million pixels, which take
most memory of all; the rest are PNG, GIF and progressive JPEG of the same size. A night classifies
them, publishes and reports, with two cores' actor and sixteen threads. Its last line is one JSON
object; the exit code is 1 where a row is lost or the goal is missed.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from io import BytesIO
from pathlib import Path

from benchmarks import needs


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200)
    return parser.parse_args()


if __name__ == "__main__":  # before what takes seconds to import
    arguments()
    needs.check(needs.memory_gib(4))

import psutil
import yaml
from PIL import Image
from pyarrow import parquet

from benchmarks.machine import processor
from tests.helpers import catalogs

SIDE_PX = 8_000
GOAL_GIB = 3.0
LOOK_S = 0.2
LIMIT_S = 1_800
KINDS = {
    "webp": {"format": "WEBP", "lossless": True, "method": 0},
    "png": {"format": "PNG", "compress_level": 1},
    "gif": {"format": "GIF"},
    "jpg": {"format": "JPEG", "progressive": True},
}


class Watch(threading.Thread):
    """Samples the memory of a command and all that it has started, each page counted once."""

    def __init__(self, marker: str) -> None:
        """Begin."""
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self._marker, self._ended = marker, threading.Event()
        self._ours: dict[psutil.Process, bool] = {}
        self.start()

    def end(self) -> None:
        """Stop sampling."""
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Look until it is enough."""
        while not self._ended.wait(LOOK_S):
            total = 0
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error):
                    if self._is_ours(process):
                        total += process.memory_full_info().pss
            self.peak_bytes = max(self.peak_bytes, total)

    def _is_ours(self, process: psutil.Process) -> bool:
        # Ray's daemons leave the tree, but keep the environment
        if not self._ours.get(process):
            self._ours[process] = process.environ().get("RESHELVE_BENCH") == self._marker
        return self._ours[process]


def write_catalog(folder: Path, count: int) -> None:
    """Write the files: one picture in ten is of another kind than the first."""
    folder.mkdir()
    picture = Image.new("RGB", (SIDE_PX, SIDE_PX), (9, 99, 9))
    first, *others = KINDS
    files = {}
    for kind, options in KINDS.items():
        file = BytesIO()
        picture.save(file, **options)  # type: ignore[arg-type]  # they differ by format
        files[kind] = file.getvalue()
        print(f"{kind}: {len(files[kind]):,} bytes for {SIDE_PX:,} x {SIDE_PX:,} pixels")
    for number in range(count):
        kind = first if number % 10 else others[number // 10 % len(others)]
        (folder / f"{number:04d}.{kind}").write_bytes(files[kind])


def measure(folder: Path, count: int) -> dict[str, object]:
    """Run the night; return the figures."""
    write_catalog(folder / "images", count)
    catalogs.make_bundle(str(folder / "bundle"))
    described = {
        "output": str(folder / "runs"),
        "run_id": "hostile",
        "catalog": {"uri": str(folder / "images")},
        "bundle": str(folder / "bundle"),
        "labels_table": str(folder / "labels"),
        "engine": {"actors": 1},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(described))
    marker = f"{os.getpid()}-{time.monotonic_ns()}"
    began = time.monotonic()
    process = subprocess.Popen(  # noqa: S603  # our own job
        [sys.executable, "-m", "jobs.classify", str(folder / "run.yaml")],
        env={**os.environ, "RESHELVE_BENCH": marker},
    )
    watch = Watch(marker)
    try:
        code = process.wait(LIMIT_S)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)  # so that it ends its Ray, too
            process.wait()
        watch.end()
    seconds = time.monotonic() - began
    parts = sorted((folder / "runs/hostile/labels").glob("part-*.parquet"))
    errors = [error for part in parts for error in parquet.read_table(part)["error"].to_pylist()]
    return {
        "images": count,
        "exit_code": code,
        "peak_memory_gib": round(watch.peak_bytes / 2**30, 2),
        "rows_lost": count - len(errors),
        "errors": sum(error is not None for error in errors),
        "seconds": round(seconds, 1),
        "processor": processor(),
        "cores": os.cpu_count(),
    }


def main() -> int:
    """Measure, and print one JSON object."""
    count = arguments().images
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), count)
    print(json.dumps(figures))
    kept = not figures["rows_lost"] and not figures["exit_code"]
    return 0 if kept and float(str(figures["peak_memory_gib"])) < GOAL_GIB else 1


if __name__ == "__main__":
    sys.exit(main())

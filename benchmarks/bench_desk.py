# ruff: noqa: T201  # it speaks to a person
"""Has twenty people work at a desk on a table of a million items: how long they wait, and memory.

    python -m benchmarks.bench_desk [--rows N] [--users N] [--seconds N] [--keep FOLDER]

The desk is the command, in a process of its own. The items are made up, the answers are really
written. The last line is one JSON object.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks import needs


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--keep", type=Path, help="make the table here, and use it again")
    return parser.parse_args()


if __name__ == "__main__":  # before what takes seconds to import
    arguments()
    needs.check(needs.memory_gib(3), needs.disk_gib(2))

import psutil

from benchmarks.desk_table import prepare
from benchmarks.desk_users import Times, work
from benchmarks.machine import processor
from tests.helpers.ports import free_port

LONGEST_START_S = 600.0
EVERY_S = 0.5


class Memory:
    """The most that a process and those it started hold, each page counted once."""

    def __init__(self, process_id: int) -> None:
        """Begin to look."""
        self.peak_bytes = 0
        self._process = psutil.Process(process_id)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> float:
        """Stop looking, and return the most, in GiB."""
        self._ended.set()
        self._thread.join()
        return self.peak_bytes / 2**30

    def _watch(self) -> None:
        while not self._ended.wait(EVERY_S):
            held = 0
            with contextlib.suppress(psutil.Error):  # one of them has ended
                for process in [self._process, *self._process.children(recursive=True)]:
                    held += process.memory_full_info().pss
            self.peak_bytes = max(self.peak_bytes, held)


def main() -> None:
    """Measure, and print what was found."""
    given = arguments()
    print(processor(), flush=True)
    with tempfile.TemporaryDirectory(prefix="reshelve-bench-") as temporary:
        folder = given.keep or Path(temporary)
        run_file = folder / "desk.yaml"
        if not run_file.exists():
            print(f"making a table of {given.rows:,} items", flush=True)
            prepare(folder, given.rows)
        found = measure(run_file, given.users, given.seconds)
    print(json.dumps({"rows": given.rows, "users": given.users, **found}))


def measure(run_file: Path, users: int, seconds: float) -> dict[str, float]:
    """Start the desk, open its first page, and let people work at it."""
    port = free_port()
    url, times = f"http://127.0.0.1:{port}", Times()
    command = [sys.executable, "-m", "jobs.desk", str(run_file), "--no-browser", "--port"]
    began = time.monotonic()
    desk = subprocess.Popen([*command, str(port)], stdout=subprocess.DEVNULL)  # noqa: S603  # our own program
    try:
        memory = Memory(desk.pid)
        _wait(f"{url}/health", desk)
        start_s = time.monotonic() - began
        first_ms = _open(f"{url}/browse")
        print(f"the desk is open after {start_s:.1f} s; its first page takes {first_ms:.0f} ms")
        print(f"{users} people work for {seconds:.0f} s", flush=True)
        asyncio.run(work(url, users, seconds, times))
        memory_gib = memory.end()
        worked = psutil.Process(desk.pid).cpu_times()
    finally:
        desk.terminate()
        desk.wait()
    for kind in sorted(times.ms):
        middle, late = times.percentile(kind, 0.5), times.percentile(kind, 0.95)
        print(f"{kind:<8} {len(times.ms[kind]):>7,}  median {middle:6.1f} ms  95th {late:6.1f} ms")
    for sentence in times.wrong[:5]:
        print(f"wrong: {sentence}")
    return {
        "start_s": round(start_s, 2),
        "first_page_ms": round(first_ms, 1),
        "page_p95_ms": round(times.percentile("page", 0.95), 1),
        "decide_p95_ms": round(times.percentile("decide", 0.95), 1),
        "picture_p95_ms": round(times.percentile("picture", 0.95), 1),
        "memory_gib": round(memory_gib, 3),
        "cpu_s": round(worked.user + worked.system, 1),  # tells it from a busy machine
        "failures": len(times.wrong),
    }


def _wait(url: str, desk: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + LONGEST_START_S
    while time.monotonic() < until and desk.poll() is None:
        try:
            _open(url)
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the desk does not start")


def _open(url: str) -> float:
    began = time.perf_counter()
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310  # our own, on loopback
        answer.read()
    return (time.perf_counter() - began) * 1_000


if __name__ == "__main__":
    main()

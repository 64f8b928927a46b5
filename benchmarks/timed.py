# ruff: noqa: S603  # it runs our own scripts
"""Runs a contender under a time limit: a failure is a result, and nothing of it stays behind."""

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.watch import Watch

MARKER = "RESHELVE_BENCH"
LEAST_S = 20.0  # what has less does not begin
PATIENCE_S = 10.0  # after an interrupt, for a Ray to end


@dataclass(frozen=True, kw_only=True)
class Ran:
    """One command that was run.

    Attributes:
        seconds: from its start to its end.
        began: when it started, by `time.time`.
        cpu_s: of all its processes.
        peak_memory_gib: of all its processes together, each page counted once.
        said: what it printed.
        failure: why it has no result, in a few words; "" where it has one.
    """

    seconds: float
    cpu_s: float
    said: str
    failure: str
    began: float = 0.0
    peak_memory_gib: float = 0.0


def run_timed(
    command: Sequence[str], limit_s: float, log: Path, environment: Mapping[str, str] | None = None
) -> Ran:
    """Run `python -m COMMAND`; what it prints goes to a file.

    Args:
        command: a module and its arguments.
        limit_s: after so many seconds it is stopped.
        log: the file.
        environment: what is set in it besides our own.
    """
    if limit_s < LEAST_S:
        return Ran(seconds=0.0, cpu_s=0.0, said="", failure="no time was left")
    marker = f"{os.getpid()}-{time.monotonic_ns()}"
    log.parent.mkdir(parents=True, exist_ok=True)
    began, cpu_began_s = time.time(), _children_cpu_s()
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, **(environment or {}), MARKER: marker},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        watch = Watch(marker)
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            _stop(process)
            failure = f"stopped after its {limit_s:.0f} s"
        else:
            failure = f"exit code {process.returncode}" if process.returncode else ""
        finally:
            seconds = time.time() - began
            _stop(process)
            watch.end()
            _sweep(marker)
    said = log.read_text(errors="replace")
    if failure.startswith("exit"):
        *_, last = [line for line in said.splitlines() if line.strip()] or ["it said nothing"]
        failure = f"{failure}: {last.strip()}"
    # the children's own account is exact, but knows nothing of daemons, as Ray has
    cpu_s = max(_children_cpu_s() - cpu_began_s, watch.cpu_s)
    return Ran(
        seconds=round(seconds, 2),
        cpu_s=round(cpu_s, 1),
        said=said,
        failure=failure,
        began=began,
        peak_memory_gib=round(watch.peak_bytes / 2**30, 2),
    )


def most_memory_gib() -> float:
    """Return the most memory that this process has had, with what it maps, in GiB.

    Not `ru_maxrss`: that also counts what the process had from which this one was forked.
    """
    found = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) / 2**20 if found else 0.0


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _sweep(marker: str) -> None:
    """Kill what a command that was stopped has left: it bears the marker."""
    wanted = f"{MARKER}={marker}".encode()
    for pid in psutil.pids():
        # Ray's agents write their titles over the environment's start, where psutil gives up
        with contextlib.suppress(OSError):
            if wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                os.kill(pid, signal.SIGKILL)

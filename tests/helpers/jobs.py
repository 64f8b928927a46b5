"""Jobs in this process, or as processes of their own."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
from typer.testing import CliRunner, Result

from jobs.__main__ import app

ROOT = Path(__file__).resolve().parents[2]


def run_job(*arguments: str) -> Result:
    """Run the command `reshelve` in this process, and so on the Ray that is there."""
    result = CliRunner().invoke(app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def told_by(stdout: str) -> dict[str, Any]:
    """Read what `--json` says of a job's end: the last line of its output."""
    told: dict[str, Any] = json.loads(stdout.splitlines()[-1])
    return told


def start(
    module: str,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    folder: Path = ROOT,
    own_group: bool = False,
) -> subprocess.Popen[str]:
    """Start `python -m module` in a folder, as a process beside the tests.

    Args:
        module: of a job.
        arguments: of its command.
        environment: beside that of the tests.
        folder: where it starts.
        own_group: it leads a group of processes, as what a shell starts on a terminal.
    """
    return subprocess.Popen(  # noqa: S603  # our own jobs
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=own_group,
    )


def finish(process: subprocess.Popen[str], *, at_most_s: float = 150) -> tuple[int, str, str]:
    """Wait for a job; return its exit code, and what it said on stdout and stderr."""
    with process:
        try:
            stdout, stderr = process.communicate(timeout=at_most_s)
        finally:
            process.kill()
    return process.returncode, stdout, stderr


def kill_when(
    happened: Callable[[], bool], process: subprocess.Popen[str], *, at_most_s: float = 120
) -> None:
    """Let a job come so far, then kill it as a machine that fails does; it may not end before."""
    with process:
        try:
            wait_until(lambda: happened() or process.poll() is not None, at_most_s=at_most_s)
            if process.returncode is not None:
                stdout, stderr = process.communicate()
                raise AssertionError(f"it has ended before it was killed:\n{stdout}\n{stderr}")
        finally:
            process.kill()


def wait_until(happened: Callable[[], bool], *, at_most_s: float = 120) -> None:
    deadline = time.monotonic() + at_most_s
    while not happened():
        if time.monotonic() >= deadline:
            raise TimeoutError("it did not happen in time")
        time.sleep(0.02)


def descendants(process_id: int) -> list[psutil.Process]:
    """Processes below one, as far as they still know their parents."""
    try:
        return psutil.Process(process_id).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def started_with(marker: str) -> list[psutil.Process]:
    """Processes that live and have inherited the variable RESHELVE_TEST_MARKER of this value."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            marked = process.environ().get("RESHELVE_TEST_MARKER") == marker
            if marked and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found

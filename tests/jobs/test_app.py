"""A command's process ends at once, after all that Python does at its end."""

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys, threading, time, typer
from jobs.app import App

app = App()

@app.command()
def main(code: int) -> None:
    atexit.register(lambda: print("exit function", flush=False))
    threading.Thread(target=lambda: (time.sleep(0.2), print("thread", flush=False))).start()
    print("command", flush=False)
    raise typer.Exit(code)

app()
"""


@pytest.mark.processes
@pytest.mark.parametrize("code", [0, 3])
def test_threads_and_exit_functions_come_first_and_the_exit_code_stays(code: int) -> None:
    ran = subprocess.run(  # noqa: S603  # the program above
        [sys.executable, "-c", PROGRAM, str(code)], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (code, "")
    assert ran.stdout.split("\n") == ["command", "thread", "exit function", ""]


@pytest.mark.processes
def test_a_reader_that_has_gone_is_no_traceback() -> None:
    ran = subprocess.run(  # noqa: S602  # a pipe of the shell's
        f"{sys.executable} -m jobs --help | true",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in ran.stderr

"""Ctrl-C ends a command as documented, whatever it falls into."""

import signal
import subprocess
import sys

import pytest

from tests.helpers.jobs import ROOT, finish

pytestmark = pytest.mark.processes

PROGRAM = """
import sys, time
import jobs.interrupt
from jobs.command import reporting, run

def main() -> None:
    jobs.interrupt.SLOW_S = 0.2
    with reporting() as say:
        say("ready")
        while True:
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                {then}

run(main)
"""


@pytest.mark.parametrize(
    "then",
    ["raise", "sys.exit(1)", "raise RuntimeError('the cluster has gone')", "pass"],
    ids=["falls through", "another library ends", "something breaks", "is lost"],
)
def test_ctrl_c_ends_a_command_with_130_and_one_sentence(then: str) -> None:
    process = subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "-c", PROGRAM.format(then=then)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)

    code, _, stderr = finish(process)

    assert (code, stderr) == (130, "stopped; the same command resumes it\n")

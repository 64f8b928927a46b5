"""Processes that work for this one, and end with it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from lib.errors import InputError, ReshelveError
from lib.processes import Process, Processes
from tests.helpers.jobs import ROOT, wait_until

pytestmark = [pytest.mark.processes, pytest.mark.timeout(120)]


def make_doubling() -> Callable[[int], int]:
    return lambda number: 2 * number


def make_failing() -> Callable[[Exception], None]:
    def fail(error: Exception) -> None:
        raise error

    return fail


def make_dying() -> Callable[[str], int]:
    """Make what kills its process once per file, which it makes; or each time, without one."""

    def die(once: str) -> int:
        if not once or not Path(once).exists():
            if once:
                Path(once).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return os.getpid()

    return die


def make_looking() -> Callable[[str], bool]:
    return lambda module: module in sys.modules


def make_nothing() -> Callable[[int], int]:
    raise InputError("the model cannot be read")


def die_at_once() -> Callable[[int], int]:
    os._exit(3)


def make_sleeping() -> Callable[[str], None]:
    def sleep(started: str) -> None:
        Path(started).write_text(str(os.getpid()))
        time.sleep(600)

    return sleep


def test_every_request_is_answered_once_by_some_process() -> None:
    with Processes(make_doubling, [{}, {}], at_once=2) as processes:
        answers = sorted(processes.run(range(50)))

    assert answers == [2 * number for number in range(50)]


def test_a_process_that_dies_is_replaced_and_its_request_done_again(tmp_path: Path) -> None:
    with Processes(make_dying, [{}]) as processes:
        (process_id,) = processes.run([str(tmp_path / "once")])

    assert process_id != os.getpid()


def test_a_process_that_was_started_ahead_works_with_what_it_has_loaded() -> None:
    with (
        closing(Process({}, ["no_such_module", "colorsys"])) as ahead,
        Processes(make_looking, [{}], ahead=ahead) as processes,
    ):
        assert list(processes.run(["colorsys", "no_such_module"])) == [True, False]


def test_a_process_that_was_started_ahead_does_not_outlive_the_one_that_started_it() -> None:
    program = (
        "import os, psutil\n"
        "from lib.processes import Process\n"
        "Process({}, ['colorsys'])\n"
        "print(psutil.Process().children()[0].pid, flush=True)\n"
        "os._exit(0)"
    )
    said = subprocess.check_output(  # noqa: S603  # our own program
        [sys.executable, "-c", program], cwd=ROOT, text=True
    )

    wait_until(lambda: not psutil.pid_exists(int(said)))


def test_a_request_that_costs_too_many_processes_ends_the_work() -> None:
    with (
        Processes(make_dying, [{}]) as processes,
        pytest.raises(ReshelveError, match=r"^a process of the job has died \(SIGKILL\); "),
    ):
        list(processes.run([""]))


def test_a_process_that_dies_as_it_starts_ends_the_work() -> None:
    with (
        Processes(die_at_once, [{}], tries=None) as processes,
        pytest.raises(ReshelveError, match="exit code 3, as it started"),
    ):
        list(processes.run([1]))


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (InputError("the bucket is gone"), InputError, "^the bucket is gone$"),
        (ZeroDivisionError("by 0"), ReshelveError, "^a worker failed: ZeroDivisionError: by 0$"),
    ],
)
def test_what_the_work_raises_comes_back_in_its_own_words(
    raised: Exception, kind: type[Exception], said: str
) -> None:
    with Processes(make_failing, [{}]) as processes, pytest.raises(kind, match=said):
        list(processes.run([raised]))


def test_what_cannot_be_made_is_said_in_its_own_words() -> None:
    with (
        Processes(make_nothing, [{}]) as processes,
        pytest.raises(InputError, match=r"^the model cannot be read$"),
    ):
        list(processes.run([1]))


def test_a_killed_parent_leaves_no_process_behind(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom lib.processes import Processes\n"
        "from tests.test_processes import make_sleeping\n"
        "list(Processes(make_sleeping, [{}]).run(sys.argv[1:]))"
    )
    started = tmp_path / "started"
    parent = subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "-c", program, str(started)], cwd=ROOT
    )
    wait_until(lambda: started.exists() and bool(started.read_text()))
    child = int(started.read_text())

    parent.kill()
    parent.wait()

    wait_until(lambda: not psutil.pid_exists(child))

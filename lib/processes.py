"""Python processes that this one starts, which work for it and end with it."""

import contextlib
import importlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final, NoReturn, Self

from lib.errors import ReshelveError, worker_failed

Work = Callable[[Any], Any]
DIED: Final = (
    "a process of the job has died ({}); most often memory has run out, or somebody has stopped "
    "it; the same command resumes the run"
)
_PROGRAM: Final = (
    "import sys; from lib.processes import serve; serve(int(sys.argv[1]), sys.argv[2:])"
)


def start_python(
    program: str, environment: Mapping[str, str], arguments: Iterable[str] = ()
) -> tuple[Connection, subprocess.Popen[bytes]]:
    """Start a process of Python, and return it with the near end of a pipe to it.

    Args:
        program: is given the number of its own end of the pipe, which is closed when this
            process ends, however that happens.
        environment: of the process, beside this one's.
        arguments: for the program, behind that number.
    """
    near, far = Pipe()
    with far:
        process = subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, "-P", "-c", program, str(far.fileno()), *arguments],
            pass_fds=[far.fileno()],
            stdin=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is for this process to hear
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(each or os.curdir for each in sys.path),
                **environment,
            },
        )
    return near, process


def cause_of(exit_code: int) -> str:
    """Say what a process has died of, by its exit code."""
    with contextlib.suppress(ValueError):  # some signals have no name
        return signal.Signals(-exit_code).name
    return f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"


def cores() -> int:
    """CPUs that this process may use: those it may run on, within the quota of its container."""
    count = len(os.sched_getaffinity(0))
    with contextlib.suppress(OSError, ValueError):  # no such file, or no quota
        quota, period = map(int, Path("/sys/fs/cgroup/cpu.max").read_text().split())
        count = min(count, quota // period)
    return max(count, 1)


class Processes:
    """Processes that do the same kind of work, each some of it at a time.

    One that dies is replaced, and what it had begun is begun again.
    """

    def __init__(
        self,
        make: Callable[[], Work],
        environments: Sequence[Mapping[str, str]],
        at_once: int = 1,
        tries: int | None = 2,
        ahead: "Process | None" = None,
    ) -> None:
        """Start them.

        Args:
            make: makes, once per process, what does the work; travels there, as requests and
                answers do.
            environments: of each process, beside this one's.
            at_once: requests that threads of one process work on.
            tries: processes that one request may cost; None: the work itself counts them.
            ahead: a process that has been started, and becomes one of them; or None.
        """
        self._make, self._at_once, self._tries = pickle.dumps((make, at_once)), at_once, tries
        self._processes = [self._begin(Process(each)) for each in environments[bool(ahead) :]]
        if ahead:
            self._processes.append(self._begin(ahead))

    def __enter__(self) -> Self:
        """Leave them running."""
        return self

    def __exit__(self, *_: object) -> None:
        """End them, whatever they do."""
        for process in self._processes:
            process.close()

    def run(self, requests: Sequence[Any]) -> Iterator[Any]:
        """Work on requests, which travel; yield the answers as they come.

        Raises:
            ReshelveError: a process cannot start, or one request has cost too many; or what the
                work has raised.
        """
        waiting, lost = deque(enumerate(requests)), [0] * len(requests)
        while True:
            for process in self._processes:
                while waiting and len(process.begun) < self._at_once:
                    process.give(*waiting.popleft())
            busy = {each.connection: each for each in self._processes if each.begun}
            if not busy:
                return
            for connection in wait([*busy]):
                process = busy[connection]  # type: ignore[index]  # all are connections
                try:
                    answer = process.take()
                except (EOFError, OSError):
                    process.close()
                    for number in process.begun:
                        lost[number] += 1
                        if self._tries and lost[number] >= self._tries:
                            raise ReshelveError(DIED.format(process.died_of)) from None
                    waiting.extendleft(reversed(process.begun.items()))
                    self._replace(process)
                else:
                    yield from answer

    def _begin(self, process: "Process") -> "Process":
        process.send(self._make)
        return process

    def _replace(self, process: "Process") -> None:
        if not process.made:  # the next one would fare no better
            raise ReshelveError(DIED.format(f"{process.died_of}, as it started"))
        place = self._processes.index(process)
        self._processes[place] = self._begin(Process(process.environment))


class Process:
    """The near end of one process."""

    def __init__(self, environment: Mapping[str, str], modules: Iterable[str] = ()) -> None:
        """Start it.

        Args:
            environment: of the process, beside this one's.
            modules: that it imports while it waits for its work.
        """
        self.environment = environment
        self.begun: dict[int, Any] = {}
        self.made = False
        self.connection, self._process = start_python(_PROGRAM, environment, modules)

    def send(self, data: bytes) -> None:
        """Send what makes the work, or a request."""
        with contextlib.suppress(OSError):  # its end is seen where its answer is taken
            self.connection.send_bytes(data)

    def give(self, number: int, request: Any) -> None:  # noqa: ANN401  # what the work takes
        """Give it a request, which its answer will name by this number."""
        self.begun[number] = request
        self.send(pickle.dumps((number, request)))

    def take(self) -> list[Any]:
        """Return an answer, or nothing where the process says that it is ready.

        Raises:
            EOFError, OSError: it has died.
            ReshelveError: of the work.
        """
        number, result, error = pickle.loads(self.connection.recv_bytes())  # noqa: S301  # our own process has written it
        if error is not None:
            raise error
        if number is None:
            self.made = True
            return []
        del self.begun[number]
        return [result]

    @property
    def died_of(self) -> str:
        """Why it is dead, which its closed pipe may show first."""
        return cause_of(self._process.wait())

    def close(self) -> None:
        """End it, whatever it does."""
        self.connection.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def serve(descriptor: int, modules: Iterable[str] = ()) -> NoReturn:
    """Be such a process: do what comes through the pipe, until its other end is closed.

    Args:
        descriptor: of this end of the pipe.
        modules: that the work will need; one that fails to load is said by the work.
    """
    # what becomes of the work is said by the job, in its own words
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    with contextlib.suppress(OSError):  # where memory runs out, this is what may go
        Path("/proc/self/oom_score_adj").write_text("1000")
    connection, lock = Connection(descriptor), threading.Lock()
    for module in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(module)

    def answer(number: int | None, result: object, error: ReshelveError | None) -> None:
        data = pickle.dumps((number, result, error))
        with lock:
            connection.send_bytes(data)

    def make() -> Work:
        made: Work = make_work()
        answer(None, None, None)
        return made

    def do(number: int, request: Any, work: Future[Work]) -> None:  # noqa: ANN401  # as above
        try:
            answer(number, work.result()(request), None)
        except ReshelveError as error:
            answer(number, None, error)
        except BaseException as error:  # noqa: BLE001  # it is raised at the other end
            answer(number, None, worker_failed(error, str(error)))

    # this thread only listens, so that the process ends with the other one, whatever it does
    with contextlib.suppress(EOFError, OSError):
        make_work, at_once = pickle.loads(connection.recv_bytes())  # noqa: S301  # as above
        threads = ThreadPoolExecutor(at_once)
        work = threads.submit(make)
        while True:
            number, request = pickle.loads(connection.recv_bytes())  # noqa: S301  # as above
            threads.submit(do, number, request, work)
    os._exit(0)

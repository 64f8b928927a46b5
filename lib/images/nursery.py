"""Work on images in another process, so that one that kills it, or never ends, harms no other.

A second process, the nursery, loads the libraries once and forks a child that works; where an
image ends that one, it forks another, which takes milliseconds. The child may take only so much
memory, and ends where an image needs more. The nursery itself decodes nothing and has one thread,
so that it can always fork, and always answers.
"""

import contextlib
import errno
import os
import pickle
import resource
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, Final, NoReturn, TypeVar

from lib.errors import ReshelveError
from lib.images.memory_limit import lacks_memory, limit_memory
from lib.processes import cause_of, start_python
from lib.reasons import ItemError, Reason

_PROGRAM: Final = "import sys; from lib.images.nursery import serve; serve(int(sys.argv[1]))"
# a process with threads cannot be forked safely
_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_TRIES: Final = 2  # a process may also die of something else, as where memory runs out
_END_S: Final = 10.0

Item = TypeVar("Item")
Fetched = TypeVar("Fetched")


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is done with each image, and what it may cost.

    Attributes:
        work: takes a file's bytes; it and what it returns travel between processes.
        memory: bytes that it may take.
        timeout_s: seconds that it may take.
    """

    work: Callable[[bytes], object]
    memory: int
    timeout_s: float


def fetch_ahead(
    fetch: Callable[[Item], Fetched], items: Iterable[Item], threads: int
) -> Generator[Fetched, None, None]:
    """Yield what `fetch` makes of each item, in their order; threads are a few items ahead."""
    ahead: deque[Future[Fetched]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            ahead.append(pool.submit(fetch, item))
            if len(ahead) > threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


class Nursery:
    """The near end of the other process."""

    def __init__(self, task: Task) -> None:
        """Start it.

        Raises:
            ReshelveError: it cannot be started.
        """
        self._task = pickle.dumps(task)
        self._start()

    def _start(self) -> None:
        self._connection, self._process = start_python(_PROGRAM, _ONE_THREAD)
        try:
            self._connection.send_bytes(self._task)
            self._connection.recv_bytes()
        except (EOFError, OSError):
            self.close()
            raise ReshelveError(
                f"the process that guards decoders does not start on {os.uname().nodename}: "
                f"exit code {self._process.returncode}"
            ) from None

    def work(self, data: bytes) -> Any:  # noqa: ANN401  # what the task returns
        """Do the task in a process that may die.

        Raises:
            ItemError: the image kills it, or takes more time or memory than it may.
            ReshelveError: the process that guards it is killed again and again.
            Exception: whatever the task raises.
        """
        for _ in range(_TRIES):
            try:
                self._connection.send_bytes(data)
                answer = self._connection.recv_bytes()
            except (EOFError, OSError):  # it decodes nothing: whatever killed it was no image
                self.close()
                self._start()
            else:
                result, error = pickle.loads(answer)  # noqa: S301  # our own process has written it
                if error is not None:
                    raise error
                return result
        raise ReshelveError("the process that guards decoders is killed again and again")

    def close(self) -> None:
        """End the other process, and with it what it has begun."""
        self._connection.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def serve(descriptor: int) -> NoReturn:
    """Be the nursery: answer each file until the other end is closed."""
    # Ray's processes ignore it, and what they start would never learn how a child has ended
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a catalog of bad images fills no disk
    with Connection(descriptor) as parent, contextlib.suppress(EOFError, OSError):
        task: Task = pickle.loads(parent.recv_bytes())  # noqa: S301  # as above
        parent.send_bytes(b"ready")
        with contextlib.closing(_Child(parent, task)) as child:
            while True:
                parent.send_bytes(child.work(parent.recv_bytes()))
    os._exit(0)  # whoever closes the other end waits, and Python's own end takes a while


class _Child:
    """The process that decodes, forked anew after each death."""

    def __init__(self, parent: Connection, task: Task) -> None:
        self._parent, self._task = parent, task
        self._fork()

    def _fork(self) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            self._process_id = os.fork()
            if not self._process_id:
                # each end must see when the process at the other has gone
                self._parent.close()
                self._connection.close()
                _work(theirs, self._task)

    def work(self, data: bytes) -> bytes:
        """Return the answer, or the verdict on an image that gets none.

        Raises:
            EOFError: nobody waits for it any more.
        """
        name = ""
        for _ in range(_TRIES):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._connection.send_bytes(data)
            ready = wait([self._connection, self._parent], self._task.timeout_s)
            if self._parent in ready:  # silent until it has its answer: this is its end
                raise EOFError
            if ready:
                with contextlib.suppress(EOFError, ConnectionResetError):
                    return self._connection.recv_bytes()
            name = self.close()
            self._fork()
            if not ready:
                detail = f"decoding takes longer than {self._task.timeout_s:g} s"
                return _verdict(Reason.TIMEOUT, detail)
        return _verdict(Reason.DECODER_CRASH, f"the process that decodes it dies: {name}")

    def close(self) -> str:
        """End the process, if it has not ended, and say what it died of."""
        os.kill(self._process_id, signal.SIGKILL)
        self._connection.close()
        code = os.waitstatus_to_exitcode(os.waitpid(self._process_id, 0)[1])
        if code == errno.ENOMEM:
            return f"it takes more than {self._task.memory / 2**30:.1f} GiB of memory"
        return cause_of(code)


def _work(nursery: Connection, task: Task) -> NoReturn:
    """Be the child."""
    limit_memory(task.memory)
    with contextlib.suppress(Exception):  # the other end has gone, or the answer cannot be sent
        while True:
            data = nursery.recv_bytes()
            signal.alarm(int(task.timeout_s) + 2)  # ends this process where the nursery has gone
            try:
                answer = pickle.dumps((task.work(data), None))
            except Exception as error:  # noqa: BLE001  # it is raised at the other end
                if lacks_memory(error) or lacks_memory(error.__context__):
                    os._exit(errno.ENOMEM)  # a fresh process may have enough
                answer = pickle.dumps((None, error))
            signal.alarm(0)
            nursery.send_bytes(answer)
    os._exit(0)  # without what the nursery does at its own end


def _verdict(reason: Reason, detail: str) -> bytes:
    return pickle.dumps((None, ItemError(reason, detail)))

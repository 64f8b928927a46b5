"""Images one by one in another process, so that one that kills it, or never ends, harms no other.

A second process, the nursery, loads the libraries once and forks a child that decodes; where an
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
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Final, NoReturn

import torch

from lib.errors import ReshelveError
from lib.images.memory_limit import allowance, lacks_memory, limit_memory
from lib.images.preparer import Decoder, Prepared, Preparer
from lib.reasons import ItemError, Reason

_PROGRAM: Final = "import sys; from lib.images.isolated import serve; serve(int(sys.argv[1]))"
_TRIES: Final = 2  # a process may also die of something else, as where memory runs out
_END_S: Final = 10.0
_Fetched = Future[tuple[bytes | None, Prepared]]


class CarefulPreparer:
    """Gives what `Preparer` gives, slower, and an error where that one would die or hang."""

    def __init__(self, preparer: Preparer) -> None:
        """Take over a preparer's connections, retries and decoder."""
        self._preparer = preparer

    def stream(self, uris: Iterable[str], etags: Iterable[str | None]) -> Iterator[Prepared]:
        """Prepare items and yield them in their order; fetching goes ahead of decoding.

        Raises:
            ReshelveError: the other process cannot be started, or is killed again and again.
        """
        threads = self._preparer.config.threads
        ahead: deque[_Fetched] = deque()
        with (
            ThreadPoolExecutor(threads) as pool,
            contextlib.closing(
                _Nursery(self._preparer.decoder, self._preparer.config.timeout_s)
            ) as nursery,
        ):
            for uri, etag in zip(uris, etags, strict=True):
                ahead.append(pool.submit(self._preparer.fetch, uri, etag))
                if len(ahead) > threads:
                    yield _finish(ahead.popleft(), nursery)
            while ahead:
                yield _finish(ahead.popleft(), nursery)

    def prepare(self, uri: str, etag: str | None) -> Prepared:
        """Prepare one item at a version; whatever is wrong with it alone is in the result."""
        (prepared,) = self.stream([uri], [etag])
        return prepared


def _finish(future: _Fetched, nursery: "_Nursery") -> Prepared:
    data, fetched = future.result()
    if data is None:
        return fetched
    decoded = nursery.decode(data)
    return replace(decoded, bytes_fetched=fetched.bytes_fetched, fetch_s=fetched.fetch_s)


class _Nursery:
    """The near end of the other process."""

    def __init__(self, decoder: Decoder, timeout_s: float) -> None:
        self._task = pickle.dumps((decoder, timeout_s))
        self._start()

    def _start(self) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # the command is a constant
                [sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(each or os.curdir for each in sys.path),
                    # a process with threads cannot be forked safely
                    "OMP_NUM_THREADS": "1",
                    "OPENBLAS_NUM_THREADS": "1",
                    "MKL_NUM_THREADS": "1",
                },
            )
        try:
            self._connection.send_bytes(self._task)
            self._connection.recv_bytes()
        except (EOFError, OSError):
            self.close()
            raise ReshelveError(
                f"the process that guards decoders does not start on {os.uname().nodename}: "
                f"exit code {self._process.returncode}"
            ) from None

    def decode(self, data: bytes) -> Prepared:
        """Decode in a process that may die."""
        for _ in range(_TRIES):
            try:
                self._connection.send_bytes(data)
                answer = self._connection.recv_bytes()
            except (EOFError, OSError):  # it decodes nothing: whatever killed it was no image
                self.close()
                self._start()
            else:
                return _unpack(answer)
        raise ReshelveError("the process that guards decoders is killed again and again")

    def close(self) -> None:
        """End the other process, and with it what it has begun."""
        self._connection.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _unpack(answer: bytes) -> Prepared:
    prepared, pixels = pickle.loads(answer)  # noqa: S301  # our own process has written it
    if isinstance(prepared, Exception):
        raise prepared
    assert isinstance(prepared, Prepared)
    return prepared if pixels is None else replace(prepared, pixels=torch.from_numpy(pixels))


def serve(descriptor: int) -> None:
    """Be the nursery: answer each file with its pixels until the other end is closed."""
    # Ray's processes ignore it, and what they start would never learn how a child has ended
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other end decides
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a catalog of bad images fills no disk
    torch.set_num_threads(1)
    with Connection(descriptor) as parent, contextlib.suppress(EOFError, OSError):
        decoder, timeout_s = pickle.loads(parent.recv_bytes())  # noqa: S301  # as above
        parent.send_bytes(b"ready")
        with contextlib.closing(_Child(parent, decoder, timeout_s)) as child:
            while True:
                parent.send_bytes(child.decode(parent.recv_bytes()))


class _Child:
    """The process that decodes, forked anew after each death."""

    def __init__(self, parent: Connection, decoder: Decoder, timeout_s: float) -> None:
        self._parent, self._decoder, self._timeout_s = parent, decoder, timeout_s
        self._fork()

    def _fork(self) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            self._process_id = os.fork()
            if not self._process_id:
                # each end must see when the process at the other has gone
                self._parent.close()
                self._connection.close()
                _work(theirs, self._decoder, self._timeout_s)

    def decode(self, data: bytes) -> bytes:
        """Return the answer, or the verdict on an image that gets none.

        Raises:
            EOFError: nobody waits for it any more.
        """
        name = ""
        for _ in range(_TRIES):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._connection.send_bytes(data)
            ready = wait([self._connection, self._parent], self._timeout_s)
            if self._parent in ready:  # silent until it has its answer: this is its end
                raise EOFError
            if ready:
                with contextlib.suppress(EOFError, ConnectionResetError):
                    return self._connection.recv_bytes()
            name = self.close()
            self._fork()
            if not ready:
                detail = f"decoding takes longer than {self._timeout_s:g} s"
                return _verdict(Reason.TIMEOUT, detail)
        return _verdict(Reason.DECODER_CRASH, f"the process that decodes it dies: {name}")

    def close(self) -> str:
        """End the process, if it has not ended, and say what it died of."""
        os.kill(self._process_id, signal.SIGKILL)
        self._connection.close()
        code = os.waitstatus_to_exitcode(os.waitpid(self._process_id, 0)[1])
        if code == errno.ENOMEM:
            return f"it takes more than {allowance(self._decoder.limits) / 2**30:.1f} GiB of memory"
        with contextlib.suppress(ValueError):  # some signals have no name
            return signal.Signals(-code).name
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _work(nursery: Connection, decoder: Decoder, timeout_s: float) -> NoReturn:
    """Be the child."""
    limit_memory(allowance(decoder.limits))
    with contextlib.suppress(Exception):  # the other end has gone, or the answer cannot be sent
        while True:
            data = nursery.recv_bytes()
            signal.alarm(int(timeout_s) + 2)  # ends this process where the nursery has gone
            try:
                prepared = decoder(data)
                if prepared.error and lacks_memory(prepared.error.__context__):
                    os._exit(errno.ENOMEM)
                answer = _pack(prepared)
            except Exception as error:  # noqa: BLE001  # it is raised at the other end
                if lacks_memory(error):  # a fresh process may have enough
                    os._exit(errno.ENOMEM)
                answer = pickle.dumps((error, None))
            signal.alarm(0)
            nursery.send_bytes(answer)
    os._exit(0)  # without what the nursery does at its own end


def _verdict(reason: Reason, detail: str) -> bytes:
    return _pack(Prepared(error=ItemError(reason, detail)))


def _pack(prepared: Prepared) -> bytes:
    # as an array: torch would send a handle to shared memory, which may outlive both ends
    pixels = None if prepared.pixels is None else prepared.pixels.numpy()
    return pickle.dumps((replace(prepared, pixels=None), pixels))

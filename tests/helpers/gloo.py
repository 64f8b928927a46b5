"""Workers for tests: real processes that join in gloo groups, as they do under Ray Train."""

import pickle
import tempfile
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing

from lib.errors import ReshelveError

# of one collective operation; a worker whose fellow is gone hears of it sooner
TIMEOUT = timedelta(seconds=60)


class WorkerError(Exception):
    """A worker has died, or its work has raised something else than a ReshelveError."""


class Workers:
    """Processes that wait for work; each piece of work gets a process group of its own."""

    def __init__(self, count: int) -> None:
        self.workers = [_Worker() for _ in range(count)]

    def grow(self, count: int) -> None:
        """Have so many processes at least."""
        self.workers += [_Worker() for _ in range(count - len(self.workers))]

    def run(self, world: int, work: Callable[..., Any], *arguments: object) -> list[Any]:
        """Let the first `world` workers do `work(*arguments)` together; return their results.

        A result is what the work returned, the ReshelveError that it raised, or a WorkerError.
        """
        with tempfile.TemporaryDirectory() as folder:
            meeting = f"file://{Path(folder) / 'meeting'}"
            for rank, worker in enumerate(self.workers[:world]):
                if not worker.process.is_alive():
                    worker = self.workers[rank] = _Worker()  # noqa: PLW2901  # in the dead one's place
                worker.pipe.send_bytes(pickle.dumps((work, arguments, rank, world, meeting)))
            return [worker.receive() for worker in self.workers[:world]]

    def close(self) -> None:
        """End the processes."""
        for worker in self.workers:
            worker.pipe.close()
            worker.process.join()


class _Worker:
    def __init__(self) -> None:
        context = torch.multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def receive(self) -> object:
        try:
            # plain pickle: tensors travel by value, and outlive their process
            result: object = pickle.loads(self.pipe.recv_bytes())  # noqa: S301  # of our own process
        except (EOFError, ConnectionResetError):
            self.pipe.close()
            self.process.join()
            return WorkerError("it died")
        return result


def _serve(pipe: Connection) -> None:
    torch.set_num_threads(1)
    while True:
        try:
            message = pipe.recv_bytes()
        except EOFError:
            return
        work, arguments, rank, world, meeting = pickle.loads(message)  # noqa: S301  # as above
        result: object
        dist.init_process_group(
            "gloo", init_method=meeting, rank=rank, world_size=world, timeout=TIMEOUT
        )
        try:
            result = work(*arguments)
        except ReshelveError as error:
            result = error
        except Exception as error:  # noqa: BLE001  # the test is to see it, whatever it is
            result = WorkerError(repr(error))
        dist.destroy_process_group()
        pipe.send_bytes(pickle.dumps(result))

"""Where a training's backbone works: in processes of this machine, or by workers on Ray."""

import pickle
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from lib.inference.where import on_cluster
from lib.processes import Process, Processes, Work, cores

if TYPE_CHECKING:
    from lib.cluster.workers_config import WorkersConfig  # its processes are given none

FoundT = TypeVar("FoundT")


class Workers:
    """The workers of one job, started at the first need and kept until it ends.

    On the cores of one machine Ray would make the same calls in as many processes, and only start
    seconds later: so it is for clusters, for GPUs and for fine-tuning.
    """

    def __init__(self, config: "WorkersConfig") -> None:
        """Start nothing yet.

        Args:
            config: how many, and what each may use.
        """
        self._config, self._started = config, ExitStack()
        self._processes: Processes | None = None
        self.count, self.threads = config.least, max(int(config.cpus), 1)

    @property
    def on_gpus(self) -> bool:
        """Whether each has a GPU, or a part of one."""
        return self._config.gpus > 0

    def __enter__(self) -> Self:
        """Start nothing yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        frames: TracebackType | None,
    ) -> None:
        """End the processes, and leave Ray if it was joined here, but not after Ctrl-C."""
        self._started.__exit__(kind, error, frames)

    def connect(self) -> None:
        """Connect to Ray until the job ends; processes of this machine end."""
        from lib.cluster.connection import connected  # noqa: PLC0415  # Ray takes a second to import

        self._end_processes()
        self._started.enter_context(connected())  # later ones change nothing

    def call(self, calls: Sequence[Callable[[], FoundT]]) -> list[FoundT]:
        """Make calls, each by one of the workers; return what each has found, in their order.

        Args:
            calls: travel to the workers, and so does what they find.

        Raises:
            ReshelveError: one of them failed, or a worker died of it twice.
        """
        if self._config.gpus or on_cluster():
            self.connect()
            from lib.cluster.backbone_workers import call_on_ray  # noqa: PLC0415  # as above

            return call_on_ray(calls, self._config)
        if self._processes is None:
            self._processes = self._started.enter_context(callers(self._environments))
        return call_all(self._processes, calls)

    @property
    def _environments(self) -> list[dict[str, str]]:
        count = max(1, min(self.count, int(cores() // self._config.cpus)))
        # no worker has asked for a GPU
        return [{"OMP_NUM_THREADS": str(self.threads), "CUDA_VISIBLE_DEVICES": ""}] * count

    def _end_processes(self) -> None:
        if self._processes:
            self._processes.__exit__()
            self._processes = None


def callers(environments: Sequence[Mapping[str, str]], ahead: Process | None = None) -> Processes:
    """Start processes that make calls, for `call_all`; the arguments are those of `Processes`."""
    return Processes(_caller, environments, ahead=ahead)


def call_all(processes: Processes, calls: Sequence[Callable[[], FoundT]]) -> list[FoundT]:
    """Make calls, each by one of `callers`; return what each has found, in their order."""
    # as bytes, so that a process imports what it calls on the thread that works
    requests = [(place, pickle.dumps(call)) for place, call in enumerate(calls)]
    found: dict[int, FoundT] = dict(processes.run(requests))
    return [found[place] for place in range(len(calls))]


def _caller() -> Work:
    """Return what makes a call, in a process of its own."""
    return _call


def _call(request: tuple[int, bytes]) -> tuple[int, Any]:
    place, call = request
    return place, pickle.loads(call)()  # noqa: S301  # our own process has written it

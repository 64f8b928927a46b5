"""A process that classifies, started before it is known what there is to do."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from lib.inference.where import on_cluster
from lib.models.device import count_gpus
from lib.processes import Process, cores

# pandas is pyarrow's, for its first array
MODULES = ("lib.inference.classify_unit", "openvino", "pandas")


@contextmanager
def started_ahead() -> Iterator[Process | None]:
    """Start it where units will most likely be classified here, and a core is idle meanwhile.

    It loads what takes a second or two while this process reads the catalog.
    """
    if on_cluster() or count_gpus() or cores() == 1:
        yield None
        return
    with closing(Process({}, MODULES)) as process:
        yield process

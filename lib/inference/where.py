"""Where units are classified: in processes of this machine, or by actors on Ray."""

import os
import sys
from typing import TYPE_CHECKING

from lib.models import device

if TYPE_CHECKING:
    from lib.inference.config import EngineConfig  # what asks early has not read a run file


def on_cluster() -> bool:
    """Whether a cluster is named, or this process has joined one, or a Ray of its own."""
    ray = sys.modules.get("ray")
    return bool(os.environ.get("RAY_ADDRESS") or (ray and ray.is_initialized()))


def runs_here(engine: "EngineConfig", units: int) -> bool:
    """Say whether so many units are classified in processes of this machine, without Ray."""
    return decide_here(engine, units, cluster=on_cluster(), gpus=count_gpus(engine))


def decide_here(engine: "EngineConfig", units: int, *, cluster: bool, gpus: int) -> bool:
    """Say what `auto` is.

    On the cores of one machine Ray runs the same classifiers in as many processes, and only
    starts later: so they are processes of ours, however many units there are. With GPUs Ray's
    helpers decode on the cores that classifiers leave idle; but one unit is one classifier's work
    anywhere, and it takes a second where Ray takes six to start.

    Args:
        engine: of the run file.
        units: that are left to do.
        cluster: as `on_cluster`.
        gpus: that the units could use.
    """
    if engine.where != "auto":
        return engine.where == "here"
    return not cluster and engine.decode != "pool" and (not gpus or units <= 1)


def count_gpus(engine: "EngineConfig") -> int:
    """GPUs that units could use."""
    return 0 if engine.device == "cpu" else device.count_gpus()

"""Whether labels stay as they are where a GPU decodes the images."""

from lib.config.config import Config
from lib.labels.decisions import Decider
from lib.models.int8 import FEWEST_ITEMS, Columns, Probabilities, compared


class DeviceDecode(Config):
    """What held-out items say of pixels that a GPU has decoded; shares are 0 to 1."""

    gpu: str  # by its maker's name; another kind may round otherwise
    agreement: float  # outcomes equal to those of pixels that CPUs have decoded
    accuracy: float  # of all labels, those for review among them
    reference_accuracy: float  # of pixels that CPUs have decoded
    items: int


def judge_device(
    exact: Probabilities, found: Probabilities, targets: Columns, decider: Decider, gpu: str
) -> DeviceDecode | None:
    """Measure how well outcomes are kept where a GPU decodes, or return None: not well enough.

    Args:
        exact: float32 [n, leaves], held-out items as CPUs decode them.
        found: float32 [n, leaves], the same items as the GPU decodes them.
        targets: int64 [n], their true columns.
        decider: decides on them.
        gpu: its name.
    """
    if len(targets) < FEWEST_ITEMS:
        return None
    said, fine = compared(exact, found, targets, decider)
    return DeviceDecode(gpu=gpu, **said) if fine else None

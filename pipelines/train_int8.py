"""Faster ways judged by held-out items: by image, and by image and name together."""

from dataclasses import dataclass

from lib.evaluation.held_out import Calibrated
from lib.models.device_decode import DeviceDecode, judge_device
from lib.models.int8 import FEWEST_ITEMS, Columns, Int8, Probabilities, judge_int8
from pipelines.train_names import TrainedNames

Both = tuple[Probabilities, Probabilities]


@dataclass(frozen=True, kw_only=True)
class Judges:
    """Held-out items, and what decides on them.

    Attributes:
        targets: int64 [n], their true columns.
        image: whose thresholds decide on images without a name.
        names: what names say of held-out items; None where they are not used.
        rows: int64 [n], the items as `names` counts them.
    """

    targets: Columns
    image: Calibrated
    names: TrainedNames | None
    rows: Columns

    def with_names(self, images: Both) -> tuple[TrainedNames, Both, Columns] | None:
        """Return what names and images say together, and targets; None where too few have names."""
        if self.names is None:
            return None
        named = self.names.judged.beside
        says = named.says[self.rows]
        if says.sum() < FEWEST_ITEMS:
            return None
        one, other = (named.fused(self.rows[says], each[says]) for each in images)
        return self.names, (one, other), self.targets[says]


def judge_outcomes(precisions: Both, judges: Judges) -> Int8 | None:
    """Judge int8 by what is decided of held-out items.

    Args:
        precisions: float32 [n, leaves] each, of the same images in float32 and in int8.
        judges: the items.

    Returns:
        None where too few items would say so, or int8 is no good.
    """
    found = judge_int8(*precisions, judges.targets, judges.image.decider)
    if found is None or (fused := judges.with_names(precisions)) is None:
        return found
    names, images, targets = fused
    moved = names.judged.beside.weights[0] * found.moved  # as `Labeller.can_change` has it
    both = judge_int8(*images, targets, names.judged.fused.decider, moved)
    return both and both.model_copy(update={"moved": found.moved})


def judge_decode(decoded: Both, judges: Judges, gpu: str) -> DeviceDecode | None:
    """Judge a GPU's pixels by what is decided of held-out items.

    Args:
        decoded: float32 [n, leaves] each, of the same images as CPUs and as the GPU decode them.
        judges: the items.
        gpu: its name.

    Returns:
        None where too few items would say so, or the pixels are no good.
    """
    found = judge_device(*decoded, judges.targets, judges.image.decider, gpu)
    if found is None or (fused := judges.with_names(decoded)) is None:
        return found
    names, images, targets = fused
    return judge_device(*images, targets, names.judged.fused.decider, gpu)

"""Int8 judged by held-out items: by image, and by image and name together."""

from lib.evaluation.held_out import Calibrated
from lib.models.int8 import FEWEST_ITEMS, Columns, Int8, Probabilities, judge_int8
from pipelines.train_names import TrainedNames


def judge_outcomes(
    precisions: tuple[Probabilities, Probabilities],
    targets: Columns,
    image: Calibrated,
    names: TrainedNames | None,
    rows: Columns,
) -> Int8 | None:
    """Judge int8 by what is decided of held-out items.

    Args:
        precisions: float32 [n, leaves] each, of the same images in float32 and in int8.
        targets: int64 [n], their true columns.
        image: whose thresholds decide on images without a name.
        names: what names say of held-out items; None where they are not used.
        rows: int64 [n], the items as `names` counts them.

    Returns:
        None where too few items would say so, or int8 is no good.
    """
    found = judge_int8(*precisions, targets, image.decider)
    if found is None or names is None:
        return found
    named = names.judged.beside
    says = named.says[rows]
    if says.sum() < FEWEST_ITEMS:
        return found
    exact, coarse = (named.fused(rows[says], each[says]) for each in precisions)
    moved = named.weights[0] * found.moved  # as `Labeller.can_change` has it
    decider = names.judged.fused.decider
    both = judge_int8(exact, coarse, targets[says], decider, moved)
    return both and both.model_copy(update={"moved": found.moved})

"""Which outcomes of images beside their names a small error of the images can change."""

from typing import Any

import numpy as np
import pytest

from lib.labels.decisions import Decider
from lib.labels.outcomes import outcomes
from lib.names.classifier import Probabilities, softmax
from lib.names.labeller import Labeller
from lib.names.named import Named
from tests.labels.test_decisions import LEAVES, TAXONOMY

ITEMS, TRIES = 600, 40


def decider_of(threshold: float) -> Decider:
    return Decider(taxonomy=TAXONOMY, category_ids=LEAVES, threshold=threshold)


@pytest.mark.parametrize("image_weight", [0.0, 0.4, 2.0])
def test_whatever_changes_beside_a_name_was_said_to_be_able_to(image_weight: float) -> None:
    draw, moved = np.random.default_rng(5), 0.2
    weights = (image_weight, 1.0)
    logits = draw.normal(size=(ITEMS, len(LEAVES))) * 2
    named = Named(
        probabilities=softmax(draw.normal(size=logits.shape) * 2),
        says=draw.random(ITEMS) < 0.5,
        weights=weights,
    )
    image, both = decider_of(0.5), decider_of(0.8)
    labeller = Labeller(names=None, weights=weights, image=image, both=both, alone=None)

    def fused(seen: Probabilities) -> Probabilities:
        return named.fused(range(ITEMS), seen)

    def found(probabilities: Probabilities) -> np.ndarray[Any, np.dtype[np.str_]]:
        by_image, by_both = (np.array(outcomes(each, probabilities)) for each in (image, both))
        return np.where(named.says, by_both, by_image)

    may = labeller.can_change(fused(softmax(logits)), named.says, moved)

    before, changed = found(fused(softmax(logits))), np.zeros(ITEMS, np.bool_)
    for _ in range(TRIES):
        drift = 0.999 * moved * np.sign(draw.uniform(-1, 1, logits.shape)) / 2
        changed |= found(fused(softmax(logits + drift))) != before
    assert not (changed & ~may).any()
    assert changed[~named.says].sum() >= 5
    assert changed[named.says].any() == may[named.says].any() == (image_weight > 0)

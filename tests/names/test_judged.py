"""Names beside images, on drawn items of which one side knows much, little or nothing."""

import numpy as np
import pytest

from lib.labels.promises import Accept
from lib.names.classifier import softmax
from lib.names.features import Floats
from lib.names.fusion import fuse
from lib.names.judged import HeldOut, JudgedNames, judge_names
from lib.taxonomy.taxonomy import Category, Taxonomy

LEAVES = 6
TAXONOMY = Taxonomy(
    version="1",
    categories=tuple(
        Category(category_id=f"c{n}", name=f"C{n}", parent=None) for n in range(LEAVES)
    ),
)


def drawn(items: int, image: float, name: float, seed: int, *, named: float = 1.0) -> HeldOut:
    """Draw items; a side's knowledge is how far ahead the true category is, in spreads of noise."""
    random = np.random.default_rng(seed)
    targets = random.integers(0, LEAVES, items)
    truth = np.eye(LEAVES)[targets]

    def side(known: float) -> Floats:
        # the logits of a side whose noise has a spread of 1, calibrated
        found: Floats = known * (known * truth + random.normal(size=truth.shape))
        return found

    return HeldOut(
        image=softmax(side(image)),
        margins=3 * side(name),  # overconfident by far: what is fitted mends that
        named=random.random(items) < named,
        targets=targets,
    )


def judged(*arguments: float, seed: int = 0, named: float = 1.0) -> JudgedNames:
    items, image, name = arguments
    found = judge_names(
        drawn(int(items), image, name, seed, named=named), TAXONOMY, Accept(precision=0.9)
    )
    assert found
    return found


@pytest.mark.parametrize("seed", range(5))
def test_useless_names_are_not_used_or_change_next_to_nothing(seed: int) -> None:
    found = judged(400, 2.0, 0.0, seed=seed)

    assert found.weights[1] < 0.2
    assert found.both_right >= found.image_right - 0.02 * found.items


@pytest.mark.parametrize("seed", range(5))
def test_names_are_not_used_where_images_say_all(seed: int) -> None:
    assert not judged(200, 5.0, 1.5, seed=seed).used


@pytest.mark.parametrize("seed", range(5))
def test_beside_useless_images_names_decide(seed: int) -> None:
    found = judged(400, 0.0, 2.0, seed=seed)

    assert found.used
    assert found.both_right >= found.name_right - 0.02 * found.items
    assert found.both_right > found.image_right


@pytest.mark.parametrize("seed", range(5))
def test_two_sides_that_know_something_know_more_together(seed: int) -> None:
    found = judged(1_000, 1.5, 1.5, seed=seed)

    assert found.used
    assert found.both_right > max(found.image_right, found.name_right)
    # each side is weighed as it deserves once the names' overconfidence is mended
    assert found.weights == pytest.approx((1.0, 1.0), abs=0.25)


def test_what_both_say_is_calibrated_though_one_side_was_far_too_sure() -> None:
    found = judged(3_000, 1.5, 1.5)

    assert found.fused.error_after < 0.03
    assert found.alone.error_after < 0.03


def test_only_items_with_a_name_are_judged() -> None:
    found = judged(600, 1.5, 1.5, named=0.5)

    assert found.items == found.named.sum() == len(found.both)
    assert 200 < found.items < 400
    assert sum(claim.items for claim in found.fused.claims) <= found.items


def test_too_few_names_are_not_judged() -> None:
    few = drawn(600, 1.5, 1.5, seed=0, named=0.05)

    assert judge_names(few, TAXONOMY, Accept()) is None


def test_the_promise_of_both_holds_on_items_that_nobody_has_looked_at() -> None:
    found = judged(1_200, 1.5, 1.5)
    (claim,) = found.fused.claims
    others = drawn(20_000, 1.5, 1.5, seed=99)

    said = fuse(others.image, softmax(others.margins / found.temperature), found.weights)

    sure = said.max(axis=1) >= claim.threshold
    assert sure.mean() == pytest.approx(claim.coverage, abs=0.05)
    assert (said.argmax(axis=1) == others.targets)[sure].mean() >= 0.88

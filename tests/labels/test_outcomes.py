"""Which outcomes a small error of the probabilities can change."""

import numpy as np
import pytest

from lib.labels.decisions import NEVER, Decider, Floats
from lib.labels.outcomes import REVIEW, Odds, can_change, log_odds, outcomes
from tests.labels.test_decisions import (
    LEAVES,
    SURE_OF_A_LEAF,
    SURE_OF_NOTHING,
    SURE_OF_TOPS,
    TAXONOMY,
)

ROWS, TRIES = 600, 40
THRESHOLDS = (0.0, 0.3, 0.5, 0.62, 0.8, 0.97, 0.999, NEVER)


def decider_of(threshold: float = 0.7, **thresholds: float) -> Decider:
    return Decider(
        taxonomy=TAXONOMY, category_ids=LEAVES, threshold=threshold, thresholds=thresholds
    )


def softmax(logits: Odds) -> Floats:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Floats = (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)
    return found


@pytest.mark.parametrize("moved", [0.05, 0.1, 0.5])
@pytest.mark.parametrize("seed", range(5))
def test_whatever_outcome_changes_within_the_bound_was_said_to_be_able_to(
    seed: int, moved: float
) -> None:
    draw = np.random.default_rng(seed)
    thresholds = dict(zip(TAXONOMY.by_id, draw.choice(THRESHOLDS, 20), strict=False))
    decider = decider_of(**thresholds)
    logits = draw.normal(size=(ROWS, 7)) * draw.choice([0.5, 1.0, 2.0, 4.0], (ROWS, 1))
    logits[::5, 1] = logits[::5, 0] + draw.normal(size=len(logits[::5])) * moved  # near ties
    probabilities = softmax(logits)
    before = np.array(outcomes(decider, probabilities))

    found = can_change(decider, probabilities, moved)

    changed = np.zeros(ROWS, np.bool_)
    for step in range(TRIES):
        # to the corners, where most changes, and to places between
        drift = draw.uniform(-0.5, 0.5, (ROWS, 7))
        drift = np.sign(drift) / 2 if step % 2 else drift
        after = outcomes(decider, softmax(logits + 0.999 * moved * drift))
        changed |= np.array(after) != before
    assert not (changed & ~found).any()
    assert changed.sum() >= 5
    # it does not say so of everything: of what it names, a good part does change
    assert changed.sum() >= found.sum() / 4


def test_an_item_that_goes_to_review_whichever_leaf_is_best_cannot_change() -> None:
    tie = np.array([SURE_OF_NOTHING, [1 / 7] * 7], np.float32)
    assert not can_change(decider_of(0.9), tie, 0.1).any()
    assert outcomes(decider_of(0.9), tie) == [REVIEW, REVIEW]


def test_an_order_matters_where_either_of_the_two_could_be_accepted() -> None:
    tie = np.array([[0.49, 0, 0, 0, 0, 0, 0.51]], np.float32)
    assert can_change(decider_of(0.4), tie, 0.1).all()
    assert can_change(decider_of(0.9, shirt=0.4), tie, 0.1).all()
    assert not can_change(decider_of(0.9, vest=0.4), tie, 0.1).any()


def test_an_order_below_a_category_that_is_taken_either_way_does_not_matter() -> None:
    tie = np.array([[0.49, 0.48, 0.03, 0, 0, 0, 0]], np.float32)
    assert outcomes(decider_of(0.8), tie) == ["tops"]
    assert not can_change(decider_of(0.8), tie, 0.1).any()
    assert can_change(decider_of(0.8, shirt=0.5), tie, 0.1).all()


@pytest.mark.parametrize(("row", "sure"), [(SURE_OF_A_LEAF, 0.75), (SURE_OF_TOPS, 0.75)])
def test_a_confidence_within_the_bound_of_its_threshold_can_change(
    row: list[float], sure: float
) -> None:
    probabilities = np.array([row], np.float32)
    for away, expected in ((-0.11, False), (-0.09, True), (0.0, True), (0.09, True), (0.11, False)):
        odds = log_odds(np.array(sure)) + away
        threshold = float(1 / (1 + np.exp(-odds)))
        decider = decider_of(NEVER, shirt=threshold, tops=threshold)
        assert can_change(decider, probabilities, 0.1).tolist() == [expected], away


def test_a_threshold_that_nothing_reaches_changes_nothing_even_of_what_is_certain() -> None:
    sure = np.eye(7, dtype=np.float32)
    assert not can_change(decider_of(NEVER), sure, 1.0).any()
    assert not can_change(decider_of(0.9), sure, 1.0).any()


def test_what_is_certain_is_above_the_surest_threshold() -> None:
    certain = np.eye(7, dtype=np.float32)
    assert not can_change(decider_of(1 - 1e-12), certain, 1.0).any()


def test_of_no_items_nothing_is_said() -> None:
    assert can_change(decider_of(), np.empty((0, 7), np.float32), 0.1).shape == (0,)

import functools
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from lib.evaluation.promise_test import Rule, fewest_items, interval, labels_needed, rank
from lib.evaluation.thresholds import ENOUGH, choose_thresholds
from lib.labels.decisions import NEVER, Decider, Decision
from lib.labels.promises import Accept
from lib.taxonomy.taxonomy import parse_taxonomy

TAXONOMY = parse_taxonomy(
    """
version: "1"
categories:
- {id: tops, children: [{id: shirt}, {id: vest}]}
- {id: legs, children: [{id: jeans}, {id: shorts}]}
- {id: hat}
""",
    "taxonomy.yaml",
)
STRICT, BALANCED = Accept(mode="strict"), Accept(mode="balanced")
Array = np.ndarray[Any, Any]


def drawn(items: int, seed: int = 0, sharpness: float = 2.5) -> tuple[Array, Array]:
    """Return probabilities that are as sure as they are right, and targets drawn from them.

    Leaves below one parent are confused more often than others.
    """
    random = np.random.default_rng(seed)
    logits = sharpness * random.normal(size=(items, 5))
    parents = 1.5 * sharpness * random.normal(size=(items, 3))
    logits += parents[:, [0, 0, 1, 1, 2]]
    logits -= logits.max(axis=1, keepdims=True)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    draws = random.random((items, 1)) < probabilities.cumsum(axis=1)
    return probabilities, draws.argmax(axis=1)


POPULATION = drawn(10_000, seed=999)


def truth_of(thresholds: dict[str, float]) -> dict[str, float]:
    """Return what thresholds give on many other items: precision and share, by decision."""
    probabilities, targets = POPULATION
    decider = Decider(
        taxonomy=TAXONOMY, category_ids=TAXONOMY.leaves, threshold=NEVER, thresholds=thresholds
    )
    decided = decider.decide(probabilities.astype(np.float32))
    leaves = np.array(TAXONOMY.leaves)[targets]
    right = np.array(
        [
            given in {leaf, *TAXONOMY.ancestors(leaf)}
            for given, leaf in zip(decided["category_id"].to_pylist(), leaves, strict=True)
        ]
    )
    found = {}
    for decision in ("accept", "parent"):
        mine = decided["decision"].to_numpy() == decision
        found[f"{decision}_precision"] = float(right[mine].mean()) if mine.any() else 1.0
        found[f"{decision}_share"] = float(mine.mean())
    return found


@functools.cache
def redraws(accept: Accept, items: int, count: int = 40) -> list[dict[str, float]]:
    return [
        truth_of(choose_thresholds(*drawn(items, seed), TAXONOMY, accept).by_category)
        for seed in range(count)
    ]


def test_strict_is_broken_in_at_most_one_of_ten_redraws() -> None:
    found = redraws(STRICT, 340)
    assert sum(each["accept_precision"] < 0.95 for each in found) <= 4
    assert np.mean([each["accept_share"] for each in found]) > 0.1


def test_balanced_accepts_more_and_is_seldom_five_points_below() -> None:
    strict, balanced = redraws(STRICT, 340), redraws(BALANCED, 340)
    assert sum(each["accept_precision"] < 0.9 for each in balanced) <= 2
    share = [np.mean([each["accept_share"] for each in found]) for found in (strict, balanced)]
    assert share[1] > 2 * share[0]


def test_a_category_above_the_leaves_keeps_the_promise_on_items_that_fall_to_it() -> None:
    found = redraws(STRICT, 1000, 10)
    assert sum(each["parent_precision"] < 0.95 for each in found) <= 2
    assert np.mean([each["parent_share"] for each in found]) > 0.02


def sure(items: int, wrong: int = 0) -> tuple[Array, Array]:
    """Return items of shirts that are all equally sure, the first so many wrongly."""
    probabilities = np.tile([0.96, 0.01, 0.01, 0.01, 0.01], (items, 1))
    return probabilities, (np.arange(items) < wrong).astype(np.int64)


@pytest.mark.parametrize(("items", "accepted"), [(49, 0), (50, 50)])
def test_strict_asks_for_as_many_right_items_as_the_binomial_does(
    items: int, accepted: int
) -> None:
    # 0.95 ** 49 is above, and 0.95 ** 50 below, the risk of 0.08 of the first sequence
    first = choose_thresholds(*sure(items), TAXONOMY, STRICT).claims[0]
    assert first.accepted == first.right == accepted


def test_a_claim_says_how_many_were_right_with_its_interval() -> None:
    first = choose_thresholds(*sure(100, wrong=1), TAXONOMY, STRICT).claims[0]
    assert (first.accepted, first.right, first.coverage) == (100, 99, 1.0)
    assert first.threshold == 0.96
    assert (first.low, first.high) == pytest.approx((0.953, 0.9995), abs=1e-3)
    assert "right are 99 of 100 (95 % to 100 %)" in first.sentence


def test_the_interval_is_the_exact_one() -> None:
    assert interval(12, 12, 0.9) == pytest.approx((0.05 ** (1 / 12), 1.0))
    low, high = interval(7, 20, 0.9)
    assert binom.sf(6, 20, low) == pytest.approx(0.05)
    assert binom.cdf(7, 20, high) == pytest.approx(0.05)
    assert interval(0, 0, 0.9) == (0.0, 1.0)


def test_too_few_items_say_how_many_more_would_do() -> None:
    first = choose_thresholds(*sure(30), TAXONOMY, STRICT).claims[0]
    assert first.threshold == NEVER
    assert first.needed is not None
    assert 15 <= first.needed <= 50  # 45 to 60 right ones are enough
    assert f"about {first.needed} more would do" in first.sentence


def test_where_the_surest_are_wrong_too_often_no_number_is_promised() -> None:
    first = choose_thresholds(*sure(100, wrong=40), TAXONOMY, STRICT).claims[0]
    assert first.threshold == NEVER
    assert first.needed is None
    assert "wrong too often" in first.sentence


def test_more_labels_are_needed_where_fewer_are_sure() -> None:
    rule = Rule.of(STRICT, 1)
    right = np.ones(20, np.bool_)
    half = np.concatenate([right, np.zeros(20, np.bool_)])
    all_of_them = labels_needed(rank(np.linspace(1, 0.96, 20), right), rule)
    half_of_them = labels_needed(rank(np.linspace(1, 0.5, 40), half), rule)
    assert all_of_them is not None
    assert half_of_them is not None
    assert half_of_them > 1.8 * all_of_them


def test_forty_five_right_items_show_a_precision_of_95_percent_at_a_risk_of_a_tenth() -> None:
    assert fewest_items(0.95, 0.1) == 45


def test_confidences_that_promise_less_than_asked_are_not_accepted_in_balanced_mode() -> None:
    probabilities = np.tile([0.9, 0.025, 0.025, 0.025, 0.025], (200, 1))
    targets = np.zeros(200, np.int64)
    assert choose_thresholds(probabilities, targets, TAXONOMY, BALANCED).claims[0].accepted == 0
    assert choose_thresholds(probabilities, targets, TAXONOMY, STRICT).claims[0].accepted == 200


def test_items_of_equal_confidence_are_accepted_together() -> None:
    probabilities, targets = drawn(500)
    rounded = np.floor(probabilities * 8) / 8
    first = choose_thresholds(rounded, targets, TAXONOMY, STRICT).claims[0]
    assert first.accepted in {0, int((rounded.max(axis=1) >= first.threshold).sum())}


def test_a_category_with_enough_items_has_a_threshold_of_its_own() -> None:
    probabilities, targets = drawn(6 * ENOUGH)
    found = choose_thresholds(probabilities, targets, TAXONOMY, BALANCED)
    groups = [each.category_ids for each in found.claims if each.decision == Decision.ACCEPT]
    assert groups == [(leaf,) for leaf in TAXONOMY.leaves]


def test_categories_with_few_items_share_the_threshold_of_their_parents_leaves() -> None:
    probabilities, targets = drawn(3 * ENOUGH, seed=3)
    found = choose_thresholds(probabilities, targets, TAXONOMY, BALANCED)
    groups = [each.category_ids for each in found.claims if each.decision == Decision.ACCEPT]
    assert groups[0] == ("shirt", "vest")
    assert sum(groups, ()) == TAXONOMY.leaves


@pytest.mark.parametrize("mode", ["strict", "balanced"])
@pytest.mark.parametrize("items", [0, 1, 5])
def test_every_category_has_a_threshold_whatever_the_items_are(items: int, mode: str) -> None:
    accept = Accept.model_validate({"mode": mode})
    probabilities, targets = np.full((items, 5), 0.2), np.zeros(items, np.int64)
    found = choose_thresholds(probabilities, targets, TAXONOMY, accept)
    assert found.by_category == dict.fromkeys(TAXONOMY.by_id, NEVER)


def test_certainty_can_be_asked_for_but_not_promised() -> None:
    found = choose_thresholds(*sure(500), TAXONOMY, Accept(precision=1, mode="strict"))
    assert set(found.by_category.values()) == {NEVER}

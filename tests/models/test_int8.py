import numpy as np
import pytest

from lib.labels.decisions import NEVER, Decider
from lib.labels.outcomes import log_odds
from lib.models.int8 import (
    BF16_MOVED,
    FEWEST_ITEMS,
    Columns,
    Int8,
    Probabilities,
    judge_int8,
    moves,
)
from lib.taxonomy.taxonomy import parse_taxonomy

ITEMS = 1000
TRUTH: Columns = np.arange(ITEMS) % 3
TAXONOMY = parse_taxonomy("version: 1\ncategories: [{id: a}, {id: b}, {id: c}]", "taxonomy.yaml")


def decider_of(threshold: float) -> Decider:
    return Decider(taxonomy=TAXONOMY, category_ids=("a", "b", "c"), threshold=threshold)


SOME, NOTHING = decider_of(0.7), decider_of(NEVER)


def calls(sure: float, best: Columns) -> Probabilities:
    """Probabilities of three categories: the best has so much, the next two thirds of the rest."""
    found = np.full((len(best), 3), (1 - sure) / 3, np.float32)
    found[np.arange(len(best)), best] = sure
    found[np.arange(len(best)), (best + 1) % 3] *= 2
    return found


def disturbed(exact: Probabilities, places: Columns, best: Probabilities) -> Probabilities:
    """The same calls, but some of them others."""
    found = exact.copy()
    found[places] = best
    return found


EXACT = calls(0.8, TRUTH)


def test_what_moves_is_the_best_against_all_others_and_against_the_next() -> None:
    exact = np.array([[0.5, 0.4, 0.1], [0.5, 0.4, 0.1], [0.5, 0.4, 0.1]], np.float32)
    coarse = np.array([[0.5, 0.4, 0.1], [0.5, 0.2, 0.3], [0.6, 0.3, 0.1]], np.float32)

    found = moves(exact, coarse)

    against_next = np.log(0.5 / 0.1) - np.log(0.5 / 0.3)
    against_all = log_odds(np.array(0.6)) - log_odds(np.array(0.5))
    both = max(np.log(2) - np.log(0.5 / 0.4), against_all)
    np.testing.assert_allclose(found, [0.0, against_next, both], rtol=1e-5)


def test_how_far_beyond_doubt_a_call_is_does_not_count() -> None:
    sure = np.array([[0.9999, 0.0001, 0]], np.float32)
    surer = np.array([[0.999999, 0.000001, 0]], np.float32)
    assert moves(sure, surer).tolist() == [0.0]
    assert moves(np.ones((2, 1), np.float32), np.ones((2, 1), np.float32)).tolist() == [0.0, 0.0]


def test_int8_that_changes_nothing_makes_only_the_closest_calls_again() -> None:
    found = judge_int8(EXACT, EXACT, TRUTH, SOME)
    assert found is not None
    assert (found.moved, found.close, found.agreement) == (BF16_MOVED, 0.0, 1.0)
    assert (found.accuracy, found.reference_accuracy, found.items) == (1.0, 1.0, ITEMS)


def test_what_may_cross_a_threshold_by_as_much_as_was_measured_is_made_again() -> None:
    moved, near = np.arange(0, ITEMS, 5), np.arange(1, ITEMS, 50)
    exact = disturbed(EXACT, moved, calls(0.85, TRUTH[moved]))
    exact = disturbed(exact, near, calls(0.72, TRUTH[near]))
    int8 = disturbed(EXACT, near, calls(0.68, TRUTH[near]))

    found = judge_int8(exact, int8, TRUTH, SOME)

    assert found is not None
    assert found.moved == pytest.approx(np.log(0.85 / 0.15) - np.log(0.8 / 0.2), rel=1e-3)
    assert found.close == pytest.approx(0.02)
    assert found.agreement == 1.0


def test_what_goes_to_review_either_way_is_not_made_again() -> None:
    undecided = np.full((ITEMS, 3), 1 / 3, np.float32)
    found = judge_int8(undecided, undecided, np.zeros_like(TRUTH), SOME)
    assert found is not None
    assert (found.close, found.agreement) == (0.0, 1.0)


def test_labels_for_review_may_change_both_ways() -> None:
    exact, places = calls(0.5, TRUTH), np.arange(8)
    int8 = disturbed(exact, places, calls(0.5, (TRUTH[places] + 1) % 3))
    truth = TRUTH.copy()
    truth[places[::2]] = (TRUTH[places[::2]] + 1) % 3

    found = judge_int8(exact, int8, truth, SOME)

    assert found is not None
    assert (found.agreement, found.close) == (1.0, 0.0)
    assert judge_int8(exact, int8, TRUTH, SOME) is None  # all of them were right


def test_a_bound_that_is_known_is_taken_as_it_is() -> None:
    found = judge_int8(EXACT, EXACT, TRUTH, SOME, moved=0.3)
    assert found is not None
    assert found.moved == 0.3


@pytest.mark.parametrize(
    ("int8", "why"),
    [
        (calls(0.72, TRUTH), "all calls are close"),
        (disturbed(EXACT, np.arange(6), calls(0.9, (TRUTH[:6] + 1) % 3)), "others are accepted"),
    ],
)
def test_int8_is_no_good_where_it_changes_what_is_not_close(int8: Probabilities, why: str) -> None:
    assert judge_int8(EXACT, int8, TRUTH, SOME) is None, why


def test_where_nothing_is_accepted_no_call_is_close() -> None:
    found = judge_int8(EXACT, calls(0.72, TRUTH), TRUTH, NOTHING)
    assert found is not None
    assert found.close == 0.0


def test_too_few_items_judge_nothing() -> None:
    few = FEWEST_ITEMS - 1
    assert judge_int8(EXACT[:few], EXACT[:few], TRUTH[:few], SOME) is None
    assert judge_int8(EXACT[: few + 1], EXACT[: few + 1], TRUTH[: few + 1], SOME) is not None


def test_what_an_earlier_version_has_measured_is_read() -> None:
    shares = {"close": 0.1, "agreement": 1.0, "accuracy": 0.9, "reference_accuracy": 0.9}
    found = Int8.model_validate({"margin": 0.05, **shares, "items": 700})
    assert found == Int8.model_validate({"moved": 0.2, **shares, "items": 700})

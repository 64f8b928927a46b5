import numpy as np
import pytest

from lib.models.int8 import CLOSE, FEWEST_ITEMS, Columns, Probabilities, judge_int8, margins

ITEMS = 1000


def calls(ahead: float, best: Columns) -> Probabilities:
    """Probabilities of three categories of which the best is so far ahead of the next."""
    found = np.full((len(best), 3), (1 - ahead) / 3, np.float32)
    found[np.arange(len(best)), best] += np.float32(ahead)
    return found


def disturbed(exact: Probabilities, places: Columns, ahead: float) -> Probabilities:
    """The same calls, but some of them fall the other way, by so much."""
    found = exact.copy()
    found[places] = calls(ahead, (exact[places].argmax(axis=1) + 1) % 3)
    return found


TRUTH: Columns = np.arange(ITEMS) % 3
EXACT = calls(0.6, TRUTH)


def test_the_margin_is_how_far_the_best_is_ahead_of_the_next() -> None:
    found = margins(np.array([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0]], np.float32))
    np.testing.assert_allclose(found, [0.5, 0.0], atol=1e-6)
    assert margins(np.ones((2, 1), np.float32)).tolist() == [1.0, 1.0]


def test_int8_that_changes_no_label_makes_only_the_closest_calls_again() -> None:
    found = judge_int8(EXACT, EXACT, TRUTH)
    assert found is not None
    assert (found.margin, found.close, found.agreement) == (CLOSE, 0.0, 1.0)
    assert (found.accuracy, found.reference_accuracy, found.items) == (1.0, 1.0, ITEMS)


def test_labels_that_int8_changes_are_within_the_margin_so_that_they_are_made_again() -> None:
    changed = np.arange(0, 200, 10)
    int8 = disturbed(EXACT, changed, ahead=0.08)

    found = judge_int8(EXACT, int8, TRUTH)

    assert found is not None
    assert found.margin > margins(int8)[changed].max()
    assert found.close == pytest.approx(len(changed) / ITEMS)
    assert found.agreement == 1.0


def test_one_label_in_a_thousand_that_changes_though_not_close_does_not_widen_the_margin() -> None:
    found = judge_int8(EXACT, disturbed(EXACT, np.array([5]), ahead=0.9), TRUTH)
    assert found is not None
    assert found.margin == CLOSE
    assert found.agreement == pytest.approx(0.999)


@pytest.mark.parametrize(
    ("int8", "why"),
    [
        (disturbed(calls(0.1, TRUTH), np.arange(0, 500, 100), 0.1), "all calls are close"),
        (disturbed(EXACT, np.arange(300), 0.5), "too many labels change"),
    ],
)
def test_int8_is_no_good_where_it_changes_labels_that_are_not_close(
    int8: Probabilities, why: str
) -> None:
    assert judge_int8(EXACT, int8, TRUTH) is None, why


def test_too_few_items_judge_nothing() -> None:
    few = FEWEST_ITEMS - 1
    assert judge_int8(EXACT[:few], EXACT[:few], TRUTH[:few]) is None
    assert judge_int8(EXACT[: few + 1], EXACT[: few + 1], TRUTH[: few + 1]) is not None

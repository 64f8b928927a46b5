import numpy as np
import pytest

from lib.evaluation.paired import Comparison, Verdict, compare


def counted(
    both: int, only_first: int, only_second: int, neither: int = 0, *, one_sided: bool = False
) -> Comparison:
    first = [True] * (both + only_first) + [False] * (only_second + neither)
    second = [True] * both + [False] * only_first + [True] * only_second + [False] * neither
    return compare(np.array(first), np.array(second), one_sided=one_sided)


def test_a_model_is_better_where_it_wins_far_more_of_the_items_that_tell_them_apart() -> None:
    found = counted(300, 31, 9, 32)

    assert found.verdict is Verdict.BETTER
    assert found.difference == pytest.approx(22 / 372)
    assert 0 < found.low < found.difference < found.high
    assert found.p_value == pytest.approx(0.00068, abs=1e-5)  # 2 P(X <= 9), X of 40 coins


def test_the_other_way_round_it_is_worse_by_as_much() -> None:
    one, other = counted(300, 31, 9, 32), counted(300, 9, 31, 32)

    assert other.verdict is Verdict.WORSE
    assert other.difference == -one.difference
    assert other.p_value == pytest.approx(one.p_value)


def test_a_few_items_of_difference_do_not_make_a_model_better() -> None:
    found = counted(300, 14, 9, 49)

    assert found.verdict is Verdict.SAME
    assert found.low < 0 < found.high


def test_models_that_are_right_on_the_same_items_cannot_be_told_apart() -> None:
    found = counted(10, 0, 0, 2)

    assert (found.verdict, found.difference, found.p_value) == (Verdict.SAME, 0.0, 1.0)


def test_of_two_equal_models_one_is_called_better_in_few_draws() -> None:
    random = np.random.default_rng(5)

    told_apart = sum(
        compare(random.random(200) < 0.8, random.random(200) < 0.8).verdict is not Verdict.SAME
        for _ in range(200)
    )

    assert told_apart <= 16


def test_the_sentence_names_the_models_the_difference_and_the_counts() -> None:
    said = counted(300, 9, 31, 32).sentence("new", "old")

    assert said.startswith("new is worse than old by 5.9 points (95 % interval ")
    assert "p < 0.001): of 372 items, only new is right on 9, only old on 31" in said
    assert "(95 % interval -" not in said  # "worse by" has said it


def test_answers_to_different_items_are_refused() -> None:
    with pytest.raises(ValueError, match="same items"):
        compare(np.array([True]), np.array([True, False]))


def test_asked_only_whether_the_first_is_better_chance_is_half_as_likely() -> None:
    both, one = (counted(302, 20, 9, 10, one_sided=each) for each in (False, True))

    assert (both.verdict, one.verdict) == (Verdict.SAME, Verdict.BETTER)
    assert one.p_value == pytest.approx(both.p_value / 2)
    assert "; one-sided p = 0.031)" in one.sentence("the first", "the second")


def test_asked_only_whether_the_first_is_better_a_worse_one_cannot_be_told_apart() -> None:
    assert counted(300, 9, 31, 32, one_sided=True).verdict is Verdict.SAME

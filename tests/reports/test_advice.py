import numpy as np
import pytest

from lib.evaluation.metrics import evaluate
from lib.heads.learning_curve import Curve, LearningCurve
from lib.heads.power_law import fit_power_law
from lib.reports.advice import Advice, advise
from lib.taxonomy.taxonomy import parse_taxonomy

HATS = parse_taxonomy(
    "version: '1'\ncategories: [{id: hat, name: hats}, {id: shoe, name: shoes}]", "here"
)


def curve(exponent: float, error: float = 0.39, items: int = 1_000, now: int = 100) -> Curve:
    labels = now * np.array([0.2, 0.4, 0.6, 0.8])
    right = (items * (1 - error * (labels / labels[-1]) ** -exponent)).round()
    whole = np.full(4, float(items))
    law = fit_power_law(labels, right, whole)
    assert law is not None
    return Curve(labels_now=now, labels=labels, right=right, whole=whole, law=law)


def advice_for(
    recall: Curve | None, precision: Curve | None = None, labels: int = 100, goal: float = 0.95
) -> Advice:
    truth, said = ["hat"] * 10 + ["shoe"] * 10, ["hat"] * 20
    found = LearningCurve(overall=curve(0.5), recall=[recall, None], precision=[precision, None])
    advice = advise(evaluate(truth, said, HATS), ["hats", "shoes"], [labels, 100], found, goal)
    return next(each for each in advice if each.category == "hats")


def test_a_category_that_learns_is_told_how_many_labels_more_would_reach_what() -> None:
    advice = advice_for(curve(0.6))

    assert advice.more is not None
    assert 50 <= advice.more <= 900
    assert advice.sentence.startswith(
        "'hats' has 100 labels and is recognised in 61.0\u00a0% (610 of 1,000) of its photos; "
        "about "
    )
    assert advice.goal < 0.95
    assert advice.is_worth_labelling


def test_what_is_promised_is_the_goal_where_it_is_within_reach() -> None:
    assert advice_for(curve(0.6, error=0.1), goal=0.92).goal == 0.92


def test_labels_alone_would_not_help_a_category_that_does_not_learn() -> None:
    advice = advice_for(curve(0.0))

    assert advice.more is None
    assert advice.sentence.endswith("; labels alone would not bring it to 95\u00a0%.")
    assert not advice.is_worth_labelling


def test_a_category_that_reaches_the_goal_needs_no_more() -> None:
    advice = advice_for(curve(0.3, error=0.02))

    assert advice.more == 0
    assert advice.sentence.endswith("; no more are needed.")


def test_the_weaker_of_recall_and_precision_is_what_counts() -> None:
    advice = advice_for(curve(0.5, error=0.1), curve(0.5, error=0.3))

    assert advice.is_precision
    assert "and 70.0\u00a0% (700 of 1,000) of what is called so is right" in advice.sentence


@pytest.mark.parametrize("labels", [1, 3])
def test_without_a_curve_the_evaluation_says_what_is_known(labels: int) -> None:
    advice = advise(
        evaluate(["shoe"] * 9 + ["hat"], ["shoe"] * 10, HATS), ["hats", "shoes"], [labels, 9], None,
        0.95,
    )  # fmt: skip

    hats, shoes = advice  # the weakest first
    assert (hats.now.part, hats.now.whole) == (0, 1)
    assert hats.sentence.endswith("how much more labels would do was not measured.")
    assert shoes.more is None


def test_a_category_that_was_never_held_out_is_to_be_labelled_first() -> None:
    (first, _) = advise(
        evaluate(["shoe"] * 9, ["shoe"] * 9, HATS), ["hats", "shoes"], [1, 9], None, 0.95
    )

    assert first.sentence == "'hats' has 1 label, and nothing is known of it; label 5 or more."
    assert first.is_worth_labelling

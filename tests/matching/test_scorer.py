import numpy as np
import pytest

from lib.labels.promises import Accept
from lib.matching.bands import Band, Limits, choose_limits
from lib.matching.learned import learn
from lib.matching.scorer import Evidence, Scorer, compare
from lib.matching.weights import Weights
from tests.matching import made

STRICT = Accept(mode="strict")


def evidence_of(left: list[str], right: list[str], cosines: list[float] | None = None) -> Evidence:
    vectors = None
    if cosines is not None:
        angles = np.arccos(cosines)
        vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float16)
    axis = None if cosines is None else np.array([[1, 0]] * len(left), np.float16)
    one, other = made.side(left, axis), made.side(right, vectors)
    rows = np.arange(len(left))
    weights = Weights.of([one.names, other.names, made.side(made.products(200)).names])
    return compare(one, other, rows, rows, weights)


def test_pairs_of_the_same_product_score_higher_than_pairs_of_others_without_any_label() -> None:
    titles = made.products(400)
    variants = [made.variant(title, seed) for seed, title in enumerate(titles)]

    same = Scorer().score(evidence_of(titles, variants)).final
    other = Scorer().score(evidence_of(titles, variants[1:] + variants[:1])).final

    assert np.mean(same > 0.5) > 0.98
    assert np.mean(other > 0.5) < 0.01


def test_a_score_is_missing_where_there_is_nothing_to_score() -> None:
    scores = Scorer().score(evidence_of(["", "mug"], ["mug", "mug"], [0.99, 0.99]))

    assert np.isnan(scores.name).tolist() == [True, False]
    assert not np.isnan(scores.image).any()
    assert not np.isnan(scores.final).any()
    assert np.isnan(Scorer().score(evidence_of([""], ["mug"])).final).all()


@pytest.mark.parametrize(("one", "other"), [("Soap 250 ml", "Soap 500 ml"), ("T (XL)", "T (XS)")])
def test_another_amount_or_size_is_never_the_same_however_alike_the_photos(
    one: str, other: str
) -> None:
    evidence = evidence_of([one], [other], [1.0])
    sure = np.array([0.999])

    assert evidence.forbids.tolist() == [True]
    assert Limits().bands(sure, evidence.forbids) == [Band.REVIEW]
    assert Limits().bands(sure, ~evidence.forbids) == [Band.SAME]


def test_the_limits_without_labelled_pairs_promise_nothing_and_say_so() -> None:
    assert not Limits().promised
    assert "promise nothing" in Limits().sentence


def test_labelled_pairs_teach_weights_that_their_own_folds_confirm() -> None:
    titles = made.products(300)
    variants = [made.variant(title, seed) for seed, title in enumerate(titles)]
    same = np.arange(600) < 300
    evidence = evidence_of(titles + titles, variants + variants[1:] + variants[:1])

    learned = learn(evidence, same, titles + titles, STRICT)

    assert learned.limits.promised
    sure = learned.scores >= learned.limits.same
    assert sure[same].mean() > 0.9
    assert same[sure].mean() >= 0.95
    assert abs(learned.scores.mean() - 0.5) < 0.05  # calibrated in the large


def test_pairs_that_cannot_be_told_apart_promise_nothing() -> None:
    dice = np.random.default_rng(0)
    scores, same = dice.uniform(size=500), dice.uniform(size=500) < 0.5

    limits = choose_limits(scores, same, np.zeros(500, np.bool_), STRICT)

    assert not limits.promised
    assert limits.bands(np.array([0.5, 1.0]), np.zeros(2, np.bool_)) == [Band.REVIEW] * 2
    assert "no pair is called the same" in limits.sentence


def test_what_is_called_the_same_is_as_right_as_promised_in_nearly_all_draws() -> None:
    broken = 0
    for seed in range(40):
        dice = np.random.default_rng(seed)
        scores = dice.beta(0.5, 0.5, size=800)
        same = dice.uniform(size=800) < scores
        limits = choose_limits(scores, same, np.zeros(800, np.bool_), STRICT)
        # of scores that are probabilities, the true precision above a limit is their mean
        fresh = np.random.default_rng(1_000 + seed).beta(0.5, 0.5, size=100_000)
        above = fresh[fresh >= limits.same]
        broken += len(above) > 0 and above.mean() < STRICT.precision
    assert broken <= 6


def test_what_is_the_same_is_seldom_called_different() -> None:
    broken = 0
    for seed in range(40):
        dice = np.random.default_rng(seed)
        scores = dice.beta(0.5, 0.5, size=800)
        same = dice.uniform(size=800) < scores
        limits = choose_limits(scores, same, np.zeros(800, np.bool_), STRICT)
        fresh = np.random.default_rng(1_000 + seed).beta(0.5, 0.5, size=100_000)
        # of scores that are probabilities, those the same below a limit are their sum there
        broken += fresh[fresh < limits.review].sum() / fresh.sum() > 1 - STRICT.precision
        assert limits.review > 0.05
    assert broken <= 6


def test_few_pairs_that_are_the_same_promise_nothing_of_what_is_different() -> None:
    scores, same = np.linspace(0, 1, 40), np.arange(40) >= 20

    limits = choose_limits(scores, same, np.zeros(40, np.bool_), STRICT)

    assert limits.review == 0.05
    assert "too few pairs are the same" in limits.sentence

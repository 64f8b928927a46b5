import numpy as np
import pytest

from lib.matching.default_weights import NAMES
from lib.matching.linear import probability
from lib.matching.name_features import NAME_FEATURES, compare_names
from lib.matching.name_table import read_names, stack
from lib.matching.weights import Weights

TITLES = [
    "Acme shampoo lemon 250 ml",
    "Acme shampoo lemon 0.25 l",
    "Acme shampoo lemon 500 ml",
    "Sony camera DSC-W120 pink",
    "sony dscw120 digital camera pink",
    "Sony camera DSC-W150 pink",
    "blue shoe size M",
    "red shoe size M",
    "red shoe size XL",
    "",
    "👟",
    "ש" * 10_000,
    "Стол дуб 120 см",
]


def compared(one: str, other: str) -> dict[str, float]:
    weights = Weights.of([read_names(TITLES)])
    (row,) = compare_names(read_names([one]), read_names([other]), weights)
    return dict(zip(NAME_FEATURES, row.tolist(), strict=True))


def score(one: str, other: str) -> float:
    weights = Weights.of([read_names(TITLES)])
    features = compare_names(read_names([one]), read_names([other]), weights)
    return float(probability(NAMES.logits(features))[0])


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("amounts", TITLES[0], TITLES[2]),
        ("models", TITLES[3], TITLES[5]),
        ("colours", TITLES[6], TITLES[7]),
        ("sizes", TITLES[7], TITLES[8]),
    ],
)
def test_what_differs_is_said_and_lowers_the_score(kind: str, one: str, other: str) -> None:
    assert compared(one, other)[f"{kind}_differ"] == 1
    assert compared(one, one)[f"{kind}_differ"] == 0
    assert score(one, other) < score(one, one)


def test_the_same_amount_in_another_unit_scores_higher_than_another_amount() -> None:
    assert score(TITLES[0], TITLES[1]) > score(TITLES[0], TITLES[2])


def test_a_shared_model_is_seen_through_hyphens() -> None:
    assert compared(TITLES[3], TITLES[4])["models_shared"] == 1


def test_swapping_the_sides_changes_nothing() -> None:
    weights = Weights.of([read_names(TITLES)])
    table = read_names(TITLES)
    left, right = np.divmod(np.arange(len(TITLES) ** 2), len(TITLES))

    one = compare_names(table.take(left), table.take(right), weights)
    other = compare_names(table.take(right), table.take(left), weights)

    assert np.isfinite(one).all()
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_titles_read_together_are_as_titles_read_apart() -> None:
    together = read_names(TITLES)
    apart = stack([read_names([title]) for title in TITLES])

    assert together.texts == apart.texts
    for name in ("words", "grams", "models", "amounts"):
        assert abs(getattr(together, name) - getattr(apart, name)).sum() == 0

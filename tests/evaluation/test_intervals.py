import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import binomtest

from lib.evaluation.intervals import Estimate, bootstrap, share


def mean_of(answers: list[int]) -> Estimate:
    columns = np.array(answers, np.float64)[:, None]
    (estimate,) = bootstrap(columns, lambda sums: sums / len(answers))
    return estimate


def test_the_interval_of_a_mean_is_as_wide_as_theory_says() -> None:
    found = mean_of([1] * 320 + [0] * 80)

    reach = 1.96 * np.sqrt(0.8 * 0.2 / 400)
    assert found.value == 0.8
    assert [found.low, found.high] == pytest.approx([0.8 - reach, 0.8 + reach], abs=0.008)


def test_the_same_items_give_the_same_interval() -> None:
    assert mean_of([1, 0, 1, 1, 0]) == mean_of([1, 0, 1, 1, 0])


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)

    covered = 0
    for _ in range(200):
        found = mean_of((random.random(150) < 0.7).tolist())
        covered += found.low <= 0.7 <= found.high

    assert 0.89 <= covered / 200 <= 0.99


def test_sparse_columns_give_what_dense_ones_give() -> None:
    columns = np.random.default_rng(2).integers(0, 2, (40, 3)).astype(np.float64)

    dense = bootstrap(columns, lambda sums: sums / 40)

    assert bootstrap(csr_array(columns), lambda sums: sums / 40) == dense


def test_draws_without_a_value_do_not_count() -> None:
    columns = np.array([[1.0, 1.0]] + [[0.0, 0.0]] * 9)  # one accepted item, and it is right

    with np.errstate(invalid="ignore"):
        (precision,) = bootstrap(columns, lambda sums: sums[..., :1] / sums[..., 1:])

    assert precision == Estimate(value=1.0, low=1.0, high=1.0)


def test_a_centred_interval_has_its_figure_inside_though_noise_makes_the_figure_larger() -> None:
    gaps = np.random.default_rng(3).normal(size=(60, 15))

    (plain,) = bootstrap(gaps, lambda sums: np.abs(sums).sum(axis=-1, keepdims=True))
    (moved,) = bootstrap(gaps, lambda sums: np.abs(sums).sum(axis=-1, keepdims=True), centred=True)

    assert moved.low < moved.value < moved.high
    assert moved.high < plain.high


def test_no_items_give_no_figure() -> None:
    (estimate,) = bootstrap(np.empty((0, 1)), lambda sums: sums / 1)

    assert np.isnan([estimate.value, estimate.low, estimate.high]).all()


def test_the_interval_of_a_share_holds_where_every_item_is_right() -> None:
    found = share(12, 12)

    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / 12))


def test_a_share_of_nothing_may_be_anything() -> None:
    found = share(0, 0)

    assert np.isnan(found.value)
    assert (found.low, found.high) == (0.0, 1.0)


def test_the_interval_of_a_share_is_the_one_of_scipy() -> None:
    exact = binomtest(17, 40).proportion_ci(0.95, method="exact")

    assert [share(17, 40).low, share(17, 40).high] == pytest.approx([exact.low, exact.high])

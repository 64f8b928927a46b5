"""In what two titles agree and in what they contradict each other, as numbers, for many pairs."""

import numpy as np
from rapidfuzz import fuzz, process

from lib.matching.name_table import Bools, Floats, Matrix, NameTable
from lib.matching.weights import Weights

THREADS = 2  # of rapidfuzz
# each from 0 to 1; `differ`: both titles say something of the kind, and nothing the same
NAME_FEATURES = (
    "token_set",
    "token_sort",
    "grams",
    "words",
    "covered_least",
    "covered_most",
    "same_text",
    "models_shared",
    "models_differ",
    "models_one_side",
    "numbers_shared",
    "numbers_differ",
    "amounts_shared",
    "amounts_differ",
    "colours_shared",
    "colours_differ",
    "sizes_differ",
)


def compare_names(left: NameTable, right: NameTable, weights: Weights) -> Floats:
    """Compare titles pair by pair: row i of one side with row i of the other.

    Args:
        left: n titles.
        right: n titles.
        weights: of words and grams.

    Returns:
        float32 [n, `NAME_FEATURES`]; swapping the sides changes nothing.
    """
    similar = [
        np.asarray(process.cpdist(left.texts, right.texts, scorer=scorer, workers=THREADS)) / 100
        for scorer in (fuzz.token_set_ratio, fuzz.token_sort_ratio)
    ]
    covered = _covered(left.words, right.words, weights.words)
    models = _shared(left.models, right.models)
    said = _count(left.models) > 0, _count(right.models) > 0
    numbers = _shared(left.numbers, right.numbers)
    amounts = _shared(left.amounts, right.amounts)
    colours = _shared(left.colours, right.colours)
    same_text = [mine == other for mine, other in zip(left.texts, right.texts, strict=True)]
    columns = [
        *similar,
        _shared(weights.weigh_grams(left), weights.weigh_grams(right)),
        _shared(weights.weigh_words(left), weights.weigh_words(right)),
        np.minimum(*covered),
        np.maximum(*covered),
        np.array(same_text, np.float32),
        models > 0,
        said[0] & said[1] & (models == 0),
        said[0] ^ said[1],
        numbers > 0,
        _differ(left.numbers, right.numbers, numbers),
        amounts > 0,
        # of one dimension both say an amount, and not the same
        _shared(left.dimensions, right.dimensions) > amounts,
        colours > 0,
        _differ(left.colours, right.colours, colours),
        _differ(left.sizes, right.sizes, _shared(left.sizes, right.sizes)),
    ]
    return np.stack([np.asarray(each, np.float32) for each in columns], axis=1)


def _count(matrix: Matrix) -> Floats:
    return np.asarray(np.diff(matrix.indptr), np.float32)


def _shared(left: Matrix, right: Matrix) -> Floats:
    return np.asarray(left.multiply(right).sum(axis=1), np.float32).ravel()


def _differ(left: Matrix, right: Matrix, shared: Floats) -> Bools:
    return np.asarray((_count(left) > 0) & (_count(right) > 0) & (shared == 0), np.bool_)


def _covered(left: Matrix, right: Matrix, weight: Floats) -> tuple[Floats, Floats]:
    """Return which share of each side's words, by weight, the other has."""
    both = np.asarray(left.multiply(right) @ weight, np.float32)
    mine, other = (np.maximum(side @ weight, 1e-6) for side in (left, right))
    return np.asarray(both / mine, np.float32), np.asarray(both / other, np.float32)

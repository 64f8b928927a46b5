"""Whatever a title is, it is taken apart in bounded time, or says nothing."""

import unicodedata

import numpy as np
import pytest

from lib.names.text import FEATURES, LETTERS, WORD_LETTERS, features_of, words_of

# a ligature that NFKC makes eighteen letters of
LONG_LIGATURE = "\ufdfa"


@pytest.mark.parametrize(
    "name", [None, "", "   ", "\U0001f457\U0001f45f\U0001f389", "\x00\u202e", "-- / --"]
)
def test_a_title_without_letters_says_nothing(name: str | None) -> None:
    assert words_of(name) == []
    assert features_of([name]).nnz == 0


@pytest.mark.parametrize(
    "name", ["x" * 10_000, "word " * 2_000, LONG_LIGATURE * 10_000, "\u0301" * 10_000]
)
def test_ten_thousand_letters_are_cut(name: str) -> None:
    words = words_of(name)

    assert sum(map(len, words)) <= 2 * LETTERS  # small letters may be more than large ones
    assert all(len(word) <= WORD_LETTERS for word in words)
    assert features_of([name]).nnz < 4 * LETTERS


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Men's T-Shirt, 250ml", ["men", "s", "t", "shirt", "250ml"]),
        (
            "\u05d7\u05d5\u05dc\u05e6\u05d4 cotton \u0642\u0645\u064a\u0635",
            ["\u05d7\u05d5\u05dc\u05e6\u05d4", "cotton", "\u0642\u0645\u064a\u0635"],
        ),
        ("STRASSE Stra\xdfe \uff21\uff22", ["strasse", "strasse", "ab"]),
        ("dress\U0001f457red", ["dress", "red"]),
    ],
)
def test_words_of_every_script_are_found_in_one_form(name: str, words: list[str]) -> None:
    assert words_of(name) == words
    assert words_of(unicodedata.normalize("NFD", name)) == words_of(name)


def test_features_are_the_same_whatever_stands_beside_a_title() -> None:
    alone = features_of(["Red dress"])
    beside = features_of(["Blue shirt", None, "Red dress"])

    assert alone.shape == (1, FEATURES)
    assert np.array_equal(beside[2].toarray(), alone.toarray())
    assert np.linalg.norm(alone.toarray()) == pytest.approx(1)


def test_words_of_one_stem_share_features() -> None:
    shirts, shirt, watch = features_of(["shirts", "shirt", "watch"]).toarray()

    assert shirts @ shirt > 0.4
    assert shirts @ watch == 0

"""From a title to its features: words, pairs of words and pieces of words, hashed."""

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from lib.names.encoder_files import EncoderFiles
from lib.names.features import TitleFeatures

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

VERSION = 1  # of all below: a bundle's weights are of the features that one version makes
FEATURES = 2**16
# a longer title is cut: what comes in costs no more than this
LETTERS, WORD_LETTERS = 256, 32
SHORTEST, LONGEST = 3, 5  # letters of a piece, the word's ends counted
REMEMBERED = 50_000  # words whose pieces are kept while titles go by: most come again

_WORD = re.compile(r"\w+")


def words_of(name: str | None) -> list[str]:
    """Return a title's words, in small letters of one form; marks, emoji and spaces part them."""
    if not name:
        return []
    plain = unicodedata.normalize("NFKC", name[:LETTERS])[:LETTERS].casefold()
    return [word[:WORD_LETTERS] for word in _WORD.findall(plain)]


def features_of(names: Sequence[str | None]) -> "csr_matrix":
    """Return the features of titles, each row of length 1, or of zeros where a title says nothing.

    Args:
        names: n titles; None for none.

    Returns:
        float64 [n, `FEATURES`], sparse.
    """
    from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415  # takes a second

    vectorizer = HashingVectorizer(
        analyzer=_Pieces(), n_features=FEATURES, alternate_sign=False, norm="l2"
    )
    found: csr_matrix = vectorizer.transform(names)
    return found


class NGrams:
    """Makes features of titles by hashing their words and pieces; it needs no file."""

    width = FEATURES
    files: EncoderFiles | None = None

    def encode(self, names: Sequence[str | None]) -> TitleFeatures:
        """Return the features of titles; one without a letter or digit says nothing."""
        matrix = features_of(names)
        return TitleFeatures(encoder=self, matrix=matrix, says=np.diff(matrix.indptr) > 0)


class _Pieces:
    """Takes titles apart; words that were seen are not taken apart again."""

    def __init__(self) -> None:
        self._seen: dict[str, list[str]] = {}

    def __call__(self, name: str | None) -> list[str]:
        words = words_of(name)
        found: list[str] = []
        for word in words:
            found += self._of_word(word)
        found += [f"{one} {two}" for one, two in pairwise(words)]
        return found

    def _of_word(self, word: str) -> list[str]:
        pieces = self._seen.get(word)
        if pieces is None:
            whole = f"<{word}>"
            pieces = [word]
            for size in range(SHORTEST, LONGEST + 1):
                pieces += [f"#{whole[at:][:size]}" for at in range(len(whole) - size + 1)]
            if len(self._seen) < REMEMBERED:
                self._seen[word] = pieces
        return pieces

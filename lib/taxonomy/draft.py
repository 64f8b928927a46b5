"""A draft of a taxonomy: groups of items, named by what sets their titles apart."""

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from lib.taxonomy.ids import nfc
from lib.taxonomy.taxonomy import Category, Taxonomy

VERSION = "draft-1"
WORDS = 5  # that describe a group
NAMED_BY = 2  # of them
STEM = 4  # letters that two forms of one word share
WORD = re.compile(r"[^\W\d_]{2,}")
LEAST_SHARE = 0.1  # of a group's titles that have a word which describes it


def distinctive_words(titles: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return of each group the words that set its titles apart, the most distinctive first.

    After class-based TF-IDF (Grootendorst, "BERTopic", 2022, https://arxiv.org/abs/2203.05794): how
    many of a group's titles have a word, times the logarithm of how many times more that is than
    in a group on average; of one group alone, how many have it.

    Args:
        titles: of each group's items; items without one are left out.
    """
    every = [nfc(title).lower() for group in titles for title in group]
    if not any(WORD.search(title) for title in every):
        return [[] for _ in titles]
    from sklearn.feature_extraction.text import CountVectorizer  # noqa: PLC0415  # takes a second

    counter = CountVectorizer(binary=True, analyzer=WORD.findall)
    found = counter.fit_transform(every).tocsr()
    words = counter.get_feature_names_out()
    ends = np.cumsum([0, *map(len, titles)])
    counts = np.stack([np.asarray(found[a:b].sum(axis=0)).ravel() for a, b in pairwise(ends)])
    shares = counts / np.maximum(np.diff(ends), 1)[:, None]
    more = len(titles) * shares / shares.sum(axis=0)
    rare = np.log(np.maximum(more, 1)) if len(titles) > 1 else 1.0
    scores = np.where(shares >= LEAST_SHARE, shares * rare, 0)
    return [
        [str(words[at]) for at in np.argsort(-row, kind="stable")[:WORDS] if row[at] > 0]
        for row in scores
    ]


def draft_taxonomy(words: Sequence[Sequence[str]]) -> Taxonomy:
    """Return a flat taxonomy with a category for each group, in their order.

    Args:
        words: that describe each group; one that has none gets a number.
    """
    categories = []
    taken: set[str] = set()
    for number, some in enumerate(words, start=1):
        # not 'Wallet Wallets'
        apart = {word[:STEM]: word for word in reversed(some)}
        named = [word for word in some if apart[word[:STEM]] == word]
        name = " ".join(named[:NAMED_BY]).title() or f"Group {number}"
        if name in taken:
            name = f"{name} {number}"
        taken.add(name)
        category_id = re.sub(r"\W+", "-", name.lower())
        categories.append(Category(category_id=category_id, name=name, parent=None))
    return Taxonomy(version=VERSION, categories=tuple(categories))

"""Photos that are all a little alike are laid over few others, and a copy is among them."""

from collections import Counter

import numpy as np
import pyarrow as pa

from lib.evaluation.checks import MOST_LAID_OVER, Checked, Kind, find_copies
from lib.images.inspection import Inspection
from lib.images.looks import looks_of
from tests.helpers.catalogs import draw

COUNT, DIMENSIONS = 120, 64


def test_a_photo_is_laid_over_the_most_alike_alone() -> None:
    random = np.random.default_rng(0)
    vectors = np.ones((COUNT, DIMENSIONS)) + 0.5 * random.standard_normal((COUNT, DIMENSIONS))
    vectors[7] = vectors[3] + 0.4 * random.standard_normal(DIMENSIONS)  # nearer than any other
    looks = looks_of(draw(1))  # so every pair that is looked at passes
    ids = [f"item-{row}" for row in range(COUNT)]
    checked = Checked(
        items=pa.table({"item_id": ids, "category_id": ["shirt"] * COUNT, "uri": ids}),
        sides=["all"] * COUNT,
        inspections=[
            Inspection(digest=each, width=60, height=60, looks=looks, contrast=50) for each in ids
        ],
        rows=range(COUNT),
        vectors=vectors.astype(np.float16),
    )

    found = find_copies(checked, least=0.999, alike=0.5)

    pairs = [tuple(sorted((each.row or 0, each.other or 0))) for each in found]
    assert {each.kind for each in found} == {Kind.NEAR_COPY}
    assert max(Counter(first for first, _ in pairs).values()) == MOST_LAID_OVER
    assert (3, 7) in pairs

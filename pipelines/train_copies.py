"""Copies among labelled photos: none is held out while another is trained on."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lib.embeddings.copies import join_pairs, near_pairs, same_groups
from lib.embeddings.store import Embeddings
from lib.reasons import ErrorItem
from lib.runs.progress import plural

TWO_LABELS, COPY = "two_labels", "copy"
# cosines of embeddings from which on two photos are nearly one: alone, and where they look like
# copies. Of 3,781 photos of clothing the first is true of one pair, which is one photo; what
# both are true of, altered by shops, is in benchmarks/LOG.md
NEAR, ALIKE = 0.95, 0.7
MOST_COMPARED = 30_000  # photos that are compared with each other in half a minute
# where more of the photos are nearly others, the products are alike, and no copies
MOST_NEAR = 0.1


@dataclass(frozen=True, kw_only=True)
class Copies:
    """What copies there are among labelled items.

    Attributes:
        photos: n names of photos; copies and near copies have one name.
        unusable: items that are left out, by id.
        sentence: for the person who waits and for the report; empty where there is no copy.
    """

    photos: list[str]
    unusable: dict[str, ErrorItem]
    sentence: str


def find_copies_of(items: pa.Table, vectors: Embeddings, held_out: set[str]) -> Copies:
    """Find copies; the same photo under two labels is left out, and so are held-out copies.

    Args:
        items: n items, columns of `ITEM_SCHEMA`; those held out come last.
        vectors: float16 [n, d].
        held_out: ids of the items that are held out.
    """
    ids, labels, uris = (items[name].to_pylist() for name in ("item_id", "category_id", "uri"))
    same = same_groups([vector.tobytes() for vector in vectors])
    exact = join_pairs(len(ids), [(group[0], row) for group in same for row in group[1:]])
    near = _near(vectors, exact)
    first = join_pairs(len(ids), [*enumerate(exact), *near])
    names: dict[int, set[str]] = defaultdict(set)
    for row, root in enumerate(exact):
        names[root].add(labels[row])
    unusable: dict[str, ErrorItem] = {}
    for row, item_id in enumerate(ids):
        both = sorted(names[exact[row]])
        if len(both) > 1:
            detail, code = f"the same photo is labelled '{both[0]}' and '{both[1]}'", TWO_LABELS
        elif item_id in held_out and first[row] != row:
            nearly = "" if exact[row] == first[row] else "nearly "
            detail, code = f"it is {nearly}the photo of item '{ids[first[row]]}'", COPY
        else:
            continue
        unusable[item_id] = ErrorItem(item_id=item_id, uri=uris[row], code=code, detail=detail)
    copies = sum(row != root for row, root in enumerate(exact))
    return Copies(
        photos=[ids[root] for root in first],
        unusable=unusable,
        sentence=_sentence(copies, len(near)) if copies or near else "",
    )


def _near(vectors: Embeddings, exact: Sequence[int]) -> list[tuple[int, int]]:
    """Return the near pairs of photos, one of each group of copies standing for all."""
    rows = np.array([row for row, root in enumerate(exact) if row == root], np.int64)
    if not 1 < len(rows) <= MOST_COMPARED:
        return []
    pairs = [
        (int(rows[each.first]), int(rows[each.second])) for each in near_pairs(vectors[rows], NEAR)
    ]
    return pairs if len({row for _, row in pairs}) <= MOST_NEAR * len(rows) else []


def _sentence(copies: int, near: int) -> str:
    said = []
    if copies:
        said.append(f"{plural(copies, 'photo')} {'is a copy' if copies == 1 else 'are copies'}")
    if near:
        said.append(f"{plural(near, 'pair')} of photos {'is' if near == 1 else 'are'} nearly one")
    return f"{' and '.join(said)}: none is held out while another is trained on"

"""What is wrong with labelled items before anything is trained on them: copies, sizes, numbers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyarrow as pa

from lib.embeddings.copies import Bools, Ints, Pair, join_pairs, near_pairs, same_groups
from lib.embeddings.cosine import Floats
from lib.embeddings.store import Embeddings
from lib.images.inspection import Inspection
from lib.images.looks import look_alike, stacked
from lib.reasons import ItemError

FEW = 10  # labelled items of a category, below which next to nothing can be promised of it
LONG = 3.0  # sides whose ratio is more are no usual photo
PLAIN = 2.0  # contrast below which nothing is to be seen
MOST_LAID_OVER = 20  # photos that each is laid over: on one ground, thousands may be a little alike


class Kind(StrEnum):
    """What may be wrong; the value stands in the column `kind`."""

    TWO_LABELS = "two_labels"
    LEAK = "leak"
    WRONG_LABEL = "wrong_label"
    UNUSABLE = "unusable"
    FEW = "few"
    COPY = "copy"
    NEAR_COPY = "near_copy"
    TINY = "tiny"
    ODD = "odd"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that may be wrong.

    Attributes:
        kind: of what.
        detail: a sentence for a person.
        row: of the item, or None where it is a category's.
        other: row of the item that it is like, or None.
        category_id: its label, or the label that a model says instead, or the category.
        score: of copies the cosine of the embeddings, of a wrong label its probability; or None.
    """

    kind: Kind
    detail: str
    row: int | None = None
    other: int | None = None
    category_id: str | None = None
    score: float | None = None


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Labelled items, and what is known of their images.

    Attributes:
        items: n items, columns of `ITEM_SCHEMA`.
        sides: n, the side of a given split that each is on; all one where none is given.
        inspections: n, or why an image cannot be decoded.
        rows: m rows that have an embedding, ascending.
        vectors: float16 [m, d].
    """

    items: pa.Table
    sides: Sequence[str]
    inspections: Sequence[Inspection | ItemError]
    rows: Sequence[int]
    vectors: Embeddings


def find_copies(checked: Checked, *, least: float, alike: float) -> list[Finding]:
    """Find photos that are there twice, or nearly.

    Args:
        checked: the items.
        least: cosine of embeddings from which on two photos are nearly the same.
        alike: a lower cosine, which does where the pictures look like copies.
    """
    exact = _exact_pairs(checked)
    known = {(pair.first, pair.second) for pair in exact}
    first_of = join_pairs(checked.items.num_rows, [*known])
    rows, seen = np.array(checked.rows, np.int64), [checked.inspections[r] for r in checked.rows]
    looks = stacked([e.looks if isinstance(e, Inspection) else None for e in seen])
    # of exact copies the first stands for all
    stands = np.array([first_of[row] == row for row in checked.rows], np.bool_)

    def are_near(one: Ints, other: Ints, cosine: Floats) -> Bools:
        near = stands[one] & stands[other]
        unsure = np.flatnonzero(near & (cosine < least))
        near[unsure] = False
        tried = unsure[_most_alike(one[unsure], cosine[unsure])]
        near[tried] = look_alike(looks, one[tried], other[tried], cosine[tried])
        return near

    near = [
        Pair(first=int(rows[e.first]), second=int(rows[e.second]), similarity=e.similarity)
        for e in near_pairs(checked.vectors, min(least, alike), are_near)
    ]
    near.sort(key=lambda pair: -pair.similarity)
    return [
        finding
        for pairs, is_exact in ((exact, True), (near, False))
        for pair in pairs
        for finding in _say(checked, pair, is_exact=is_exact)
    ]


def _most_alike(one: Ints, cosine: Floats) -> Ints:
    """Return the places of pairs, int64 [k]: of each first photo, those most alike."""
    order = np.lexsort((-cosine, one))
    ordered = one[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    found: Ints = order[rank < MOST_LAID_OVER]
    return found


def _exact_pairs(checked: Checked) -> list[Pair]:
    digests = [
        each.digest if isinstance(each, Inspection) else None for each in checked.inspections
    ]
    pixels = [(checked.rows[at], vector.tobytes()) for at, vector in enumerate(checked.vectors)]
    by_row = dict(pixels)
    same = same_groups(digests)
    same += same_groups([by_row.get(row) for row in range(len(digests))])
    first = join_pairs(len(digests), [(group[0], row) for group in same for row in group[1:]])
    return [
        Pair(first=root, second=row, similarity=1.0)
        for row, root in enumerate(first)
        if root != row
    ]


def _say(checked: Checked, pair: Pair, *, is_exact: bool) -> list[Finding]:
    rows = pair.first, pair.second
    ids, labels = (
        [checked.items[name][row].as_py() for row in rows] for name in ("item_id", "category_id")
    )
    same = f"{'the' if is_exact else 'nearly the'} same photo as '{ids[0]}'"
    said = {}
    if labels[0] != labels[1]:
        said[Kind.TWO_LABELS] = f"{same}, which is labelled '{labels[0]}'"
    sides = [checked.sides[row] for row in rows]
    if sides[0] != sides[1]:
        said[Kind.LEAK] = f"of {sides[1]}, {same} of {sides[0]}"
    if not said:
        said[Kind.COPY if is_exact else Kind.NEAR_COPY] = same
    return [
        Finding(
            kind=kind,
            detail=detail,
            row=pair.second,
            other=pair.first,
            category_id=labels[1],
            score=pair.similarity,
        )
        for kind, detail in said.items()
    ]


def find_unfit(checked: Checked, size_px: int) -> list[Finding]:
    """Find images that cannot be decoded, and those that are too small, too long or plain.

    Args:
        checked: the items.
        size_px: side of the square that the model sees.
    """
    found = []
    labels = checked.items["category_id"].to_pylist()
    for row, each in enumerate(checked.inspections):
        if isinstance(each, ItemError):
            said = [(Kind.UNUSABLE, f"{each.reason}: {each.detail}")]
        else:
            said = list(_unfit(each, size_px))
        found += [
            Finding(kind=kind, detail=detail, row=row, category_id=labels[row])
            for kind, detail in said
        ]
    return found


def _unfit(each: Inspection, size_px: int) -> list[tuple[Kind, str]]:
    said = []
    size = f"{each.width:,} x {each.height:,} pixels"
    short, long = sorted((each.width, each.height))
    if 2 * short < size_px:
        said.append((Kind.TINY, f"{size}; the model sees {size_px} x {size_px}"))
    if long > LONG * short:
        said.append((Kind.ODD, f"{size}: {long / short:.1f} times as long as wide"))
    if each.contrast < PLAIN:
        said.append((Kind.ODD, "next to nothing is to be seen on it"))
    return said


def find_few(labels: Sequence[str], leaves: Mapping[str, str]) -> list[Finding]:
    """Find categories with too few labelled items that can be used.

    Args:
        labels: category ids of the items that can be used.
        leaves: path of each leaf of the taxonomy, by id.
    """
    counts = Counter(labels)
    few = sorted((counts[leaf], path, leaf) for leaf, path in leaves.items() if counts[leaf] < FEW)
    return [
        Finding(
            kind=Kind.FEW,
            category_id=leaf,
            detail=f"{path}: {count} {'photo' if count == 1 else 'photos'} that can be used; label "
            f"{FEW} or more",
        )
        for count, path, leaf in few
    ]

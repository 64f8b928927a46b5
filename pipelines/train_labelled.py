"""Labelled items and their embeddings: what of them can be used, and which are copies."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import torch
from torch import Tensor

from lib.errors import InputError
from lib.reasons import ErrorItem
from lib.taxonomy.taxonomy import some_of
from pipelines.train_copies import find_copies_of


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Labelled items with their embeddings.

    Attributes:
        items: n items, columns of `ITEM_SCHEMA`; the held-out ones come last.
        vectors: float16 [n, d].
        targets: int64 [n], columns of the leaves.
        photos: n names of photos; copies and near copies have one name.
        held_out: how many are held out; none where each item is in turn.
        unusable: the items that were left out, and why.
        copies: what copies there are, as a sentence; empty where there are none.
    """

    items: pa.Table
    vectors: Tensor
    targets: Tensor
    photos: list[str]
    held_out: int
    unusable: list[ErrorItem]
    copies: str = ""

    @property
    def train(self) -> slice:
        """Places of the items to train on."""
        return slice(0, len(self.targets) - self.held_out)

    @property
    def sentences(self) -> list[str]:
        """What was left out, and what copies there are, for the person who waits."""
        return [each for each in (_why(self.unusable), self.copies) if each]


def as_labelled(
    items: pa.Table,
    vectors: Tensor,
    unseen: set[str],
    leaves: tuple[str, ...],
    unusable: Mapping[str, ErrorItem],
) -> Labelled:
    """Put items and their embeddings together, without what cannot be used.

    A photo under two labels is left out, and so are copies of what is held out.

    Args:
        items: n items, columns of `ITEM_SCHEMA`, each with a leaf; the held-out ones come last.
        vectors: float16 [n, d].
        unseen: ids of the items that are held out.
        leaves: of the taxonomy.
        unusable: what was found before, by item id.

    Raises:
        InputError: a category has no photo that can be used, or all have one alone.
    """
    copies = find_copies_of(items, vectors.numpy(), unseen)
    left_out = {**unusable, **copies.unusable}
    ids, labels = items["item_id"].to_pylist(), items["category_id"].to_pylist()
    kept = [place for place, item_id in enumerate(ids) if item_id not in left_out]
    column = {leaf: index for index, leaf in enumerate(leaves)}
    found = Labelled(
        items=items.take(pa.array(kept, pa.int64())),
        vectors=vectors[kept],
        targets=torch.tensor([column[labels[place]] for place in kept], dtype=torch.int64),
        photos=[copies.photos[place] for place in kept],
        held_out=sum(ids[place] in unseen for place in kept),
        unusable=list(left_out.values()),
        copies=copies.sentence,
    )
    why = _why(found.unusable)
    _check_enough(found, leaves, is_judged=bool(unseen), why=f"; {why}" if why else "")
    return found


def _check_enough(found: Labelled, leaves: tuple[str, ...], *, is_judged: bool, why: str) -> None:
    empty = set(range(len(leaves))) - set(found.targets[found.train].tolist())
    if empty:
        raise InputError(
            "no photo to train on can be used of these categories: "
            f"{some_of(leaves[each] for each in sorted(empty))}; label others, or take the "
            f"categories out of the taxonomy{why}"
        )
    pairs = zip(found.targets[found.train].tolist(), found.photos, strict=False)
    if len(set(pairs)) == len(leaves):
        raise InputError(
            "no category has two photos to train on that can be used; a head is chosen by holding "
            f"some out in turn: label others{why}"
        )
    if is_judged and not found.held_out:
        raise InputError(f"no held-out photo can be used; give another 'validation'{why}")


def _why(unusable: Sequence[ErrorItem]) -> str:
    """Say how many labelled photos cannot be used, by reason; an empty text where all can."""
    if not unusable:
        return ""
    reasons = Counter(each.code for each in unusable).most_common()
    counts = ", ".join(f"{count:,} {code}" for code, count in reasons)
    return f"labelled photos that cannot be used: {counts}"


def without_embeddings(train: pa.Table, held_out: pa.Table, leaves: tuple[str, ...]) -> Labelled:
    """Return the labelled items of a training whose backbone knows nothing yet."""
    items = pa.concat_tables([train, held_out])
    targets = [leaves.index(label) for label in items["category_id"].to_pylist()]
    return Labelled(
        items=items,
        vectors=torch.empty(items.num_rows, 0, dtype=torch.float16),
        targets=torch.tensor(targets),
        photos=items["item_id"].to_pylist(),
        held_out=held_out.num_rows,
        unusable=[],
    )

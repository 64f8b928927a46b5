"""Splitting rows of a head: an old category becomes several, and all others stay what they were."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import linear

from lib.evaluation.calibration import fit_temperature
from lib.heads.lda import Moments
from lib.models.bundle import Row
from lib.models.head import Head, raise_to
from lib.taxonomy.migration import Migration


@dataclass(frozen=True)
class LabelledEmbeddings:
    """Embeddings, float16 [n, d], and the columns of their new leaves, int64 [n]."""

    embeddings: Tensor
    targets: Tensor

    def of(self, leaves: list[int]) -> "LabelledEmbeddings":
        """Those of some leaves, the columns counted among these."""
        same = self.targets.unsqueeze(1) == torch.tensor(leaves)
        mine = same.any(dim=1)
        return LabelledEmbeddings(self.embeddings[mine], same[mine].int().argmax(dim=1))


def carry_rows(rows: tuple[Row, ...], destinies: Mapping[str, tuple[str, ...]]) -> tuple[Row, ...]:
    """Return rows under their new ids; a row whose leaf becomes several is split into these."""
    carried: list[Row] = []
    for row in rows:
        if isinstance(row, tuple):
            carried.append(tuple(destinies[part][0] for part in row))
        else:
            news = destinies[row]
            carried.append(news if len(news) > 1 else news[0])
    return tuple(carried)


def can_split(head: Head, migration: Migration) -> bool:
    """Say whether the old head can be kept: no leaf is new, and no part of a row splits again."""
    parts = [part for row in head.rows if isinstance(row, tuple) for part in row]
    return (
        not migration.added
        and all(migration.destinies.values())
        and all(len(migration.destinies[part]) == 1 for part in parts)
    )


def split_head(
    old: Head, migration: Migration, moments: Moments, held_out: LabelledEmbeddings
) -> Head:
    """Return the old head with some of its rows split.

    What tells the parts of a row apart is fitted on the examples of these alone, and calibrated on
    those held out; the rest is the old head's, and so are the probabilities of all other leaves.

    Args:
        old: the head of the old taxonomy, as `can_split` allows.
        migration: from the old taxonomy to the new.
        moments: of the labelled embeddings, raised to the old head's power, by the columns of the
            new leaves.
        held_out: labelled embeddings that `moments` has not seen.
    """
    column = {leaf: index for index, leaf in enumerate(migration.new.leaves)}
    rows = carry_rows(old.rows, migration.destinies)
    weights, biases, start = [], [], 0
    for was, row in zip(old.rows, rows, strict=True):
        if isinstance(was, tuple):
            weights.append(old.apart_weight[start : start + len(was)])
            biases.append(old.apart_bias[start : start + len(was)])
            start += len(was)
        elif isinstance(row, tuple):
            unseen = held_out.of([column[leaf] for leaf in row])
            rows_apart = moments.discriminants([column[leaf] for leaf in row])
            weight, bias = _calibrated(rows_apart, unseen, old.power)
            weights.append(weight)
            biases.append(bias)
    return replace(old, rows=rows, apart_weight=torch.cat(weights), apart_bias=torch.cat(biases))


def _calibrated(
    rows: tuple[Tensor, Tensor], unseen: LabelledEmbeddings, power: float
) -> tuple[Tensor, Tensor]:
    weight, bias = rows[0] - rows[0].mean(dim=0), rows[1] - rows[1].mean()
    if not len(unseen.targets):
        return weight, bias
    logits = linear(raise_to(unseen.embeddings.float(), power), weight, bias)
    temperature = fit_temperature(logits, unseen.targets)
    return weight / temperature, bias / temperature

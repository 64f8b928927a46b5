"""Splitting rows of a head: an old category becomes several, and all others stay what they were."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear

from lib.calibration import fit_temperature
from lib.head import Head
from lib.head_fit import Moments
from lib.migration import Migration


@dataclass(frozen=True)
class LabelledEmbeddings:
    """Embeddings, float16 [n, d], and the columns of their new leaves, int64 [n]."""

    embeddings: Tensor
    targets: Tensor

    def of(self, leaves: list[int]) -> "LabelledEmbeddings":
        """Those of some leaves, the columns counted among these."""
        mine = torch.isin(self.targets, torch.tensor(leaves))
        place = torch.full((max([*leaves, *self.targets.tolist()]) + 1,), -1)
        place[leaves] = torch.arange(len(leaves))
        return LabelledEmbeddings(self.embeddings[mine], place[self.targets[mine]])


def split_head(
    old: Head,
    migration: Migration,
    moments: Moments,
    train: LabelledEmbeddings,
    held_out: LabelledEmbeddings,
) -> Head:
    """Give the old head with the rows of split leaves in several versions.

    A row that stands for a split leaf is taken once for each new leaf, plus what tells these apart;
    the rest is the old head's, and so are the probabilities of all other leaves, but for what a
    split leaf gains or loses where its parts are hard to tell apart.

    Args:
        old: the head of the old taxonomy.
        migration: of which every old leaf becomes something.
        moments: of the labelled embeddings.
        train: the labelled embeddings; those of the new leaves of a split are examples.
        held_out: the same, held out.
    """
    column = {leaf: index for index, leaf in enumerate(migration.new.leaves)}
    weights, biases = [], []
    category_ids: list[str] = []
    for row, leaf in enumerate(old.category_ids):
        news = migration.destinies[leaf]
        weight = old.weight[row].expand(len(news), -1)
        bias = old.bias[row].expand(len(news))
        if len(news) > 1:
            columns = [column[new] for new in news]
            apart = _tell_apart(columns, moments, train, held_out)
            # what tells the parts apart is calibrated, the old rows are divided by the temperature
            weight = weight + old.temperature * apart[0]
            bias = bias + old.temperature * apart[1]
        weights.append(weight)
        biases.append(bias)
        category_ids += news
    return Head(torch.cat(weights), torch.cat(biases), tuple(category_ids), old.temperature)


def _tell_apart(
    leaves: list[int], moments: Moments, train: LabelledEmbeddings, held_out: LabelledEmbeddings
) -> tuple[Tensor, Tensor]:
    weight, bias = moments.discriminants(leaves)
    weight, bias = weight - weight.mean(dim=0), bias - bias.mean()
    examples, unseen = train.of(leaves), held_out.of(leaves)
    if len(unseen.targets):
        temperature = fit_temperature(
            linear(unseen.embeddings.float(), weight, bias), unseen.targets
        )
        weight, bias = weight / temperature, bias / temperature
    # the parts together are as probable as the whole was
    logits = linear(examples.embeddings.float(), weight, bias)
    return weight, bias - torch.logsumexp(logits, dim=1).mean()

"""Fitting a head on embeddings in closed form: linear discriminant analysis."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

# of the covariance towards a sphere, where no one has chosen: few items say little of small
# directions
SHRINKAGE = 0.1
CHUNK_ROWS = 8_192


@dataclass(frozen=True)
class Moments:
    """Where each category's embeddings lie, and how all of them vary around their own centre.

    Attributes:
        centres: float64 [leaves, d]; not a number for a leaf without items.
        covariance: float64 [d, d].
    """

    centres: Tensor
    covariance: Tensor

    def discriminants(
        self, leaves: Sequence[int] = (), shrinkage: float = SHRINKAGE
    ) -> tuple[Tensor, Tensor]:
        """Return the rows that tell some leaves, or all, apart, as if each were equally frequent.

        Each leaf is taken to be normal, all with one covariance (Hastie, Tibshirani, Friedman,
        "The Elements of Statistical Learning", 4.3), shrunk towards a sphere (Friedman 1989,
        "Regularized Discriminant Analysis").

        Args:
            leaves: columns of some; none for all.
            shrinkage: 0 takes the covariance as it is, 1 a sphere.

        Returns:
            The weight, float32 [leaves, d], and the bias, float32 [leaves].
        """
        centres = (self.centres[list(leaves)] if leaves else self.centres).float()
        # of one item per leaf, the covariance is nothing but rounding, which has no root
        least = 1e-4 * float((centres - centres.mean(dim=0)).square().mean()) + 1e-12
        variance = self.covariance.diagonal().mean().clamp(min=least)
        shrunk = ((1 - shrinkage) * self.covariance).float()
        shrunk.diagonal().add_(float(shrinkage * variance))
        weight = torch.cholesky_solve(centres.T, torch.linalg.cholesky(shrunk)).T
        return weight, -0.5 * (weight * centres).sum(dim=1)


@dataclass(frozen=True)
class Sums:
    """What moments are made of; those of some items can be taken from those of all.

    Attributes:
        counts: float64 [leaves].
        sums: of each leaf's embeddings less `middle`, float64 [leaves, d].
        scatter: their products with one another, float64 [d, d].
        middle: float32 [d]; near zero, float32 adds up well.
    """

    counts: Tensor
    sums: Tensor
    scatter: Tensor
    middle: Tensor

    def also(self, more: "Sums") -> "Sums":
        """Add other items, whose sums have the same `middle`."""
        return Sums(
            self.counts + more.counts,
            self.sums + more.sums,
            self.scatter + more.scatter,
            self.middle,
        )

    def without(self, some: "Sums") -> "Sums":
        """Leave out some of the items, whose sums have the same `middle`."""
        return Sums(
            self.counts - some.counts,
            self.sums - some.sums,
            self.scatter - some.scatter,
            self.middle,
        )

    def moments(self) -> Moments:
        """Return where the leaves lie, and how they vary."""
        centres = self.sums / self.counts.unsqueeze(1)
        within = (self.scatter - self.sums.T @ centres.nan_to_num()) / self.counts.sum()
        return Moments(centres + self.middle.double(), within)


def moments_of(
    parts: Iterable[Tensor], targets: Tensor, leaves: int, weights: Tensor | None = None
) -> Moments:
    """Measure labelled embeddings, some thousands at a time; the arguments are those of `sum_up`.

    Each leaf that is told apart later has an item at least.
    """
    return sum_up(parts, targets, leaves, weights=weights).moments()


def sum_up(
    parts: Iterable[Tensor],
    targets: Tensor,
    leaves: int,
    *,
    weights: Tensor | None = None,
    middle: Tensor | None = None,
) -> Sums:
    """Sum up labelled embeddings, some thousands at a time.

    Args:
        parts: embeddings, float16 or float32 [m, d] each, n in all.
        targets: int64 [n], columns of the leaves.
        leaves: how many there are.
        weights: float64 [n], how many items each one counts for; None where each is one.
        middle: as in `Sums`; None for the mean of the first thousands.
    """
    counted = torch.ones(len(targets), dtype=torch.float64) if weights is None else weights
    chunks = (chunk.float() for part in parts for chunk in part.split(CHUNK_ROWS))
    first = next(chunks)
    dimensions = first.shape[1]
    sums = torch.zeros(leaves, dimensions, dtype=torch.float64)
    scatter = torch.zeros(dimensions, dimensions, dtype=torch.float64)
    middle = first.mean(dim=0) if middle is None else middle
    start = 0
    for chunk in chain([first], chunks):
        some = chunk - middle
        weight = counted[start : start + len(some)].unsqueeze(1)
        sums.index_add_(0, targets[start : start + len(some)], some.double() * weight)
        scatter += (some.T @ (some if weights is None else some * weight.float())).double()
        start += len(some)
    return Sums(torch.bincount(targets, counted, minlength=leaves), sums, scatter, middle)


def discriminants_of_few(
    vectors: Tensor, targets: Tensor, leaves: int, shrinkages: Sequence[float]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the rows for each shrinkage, as `Moments.discriminants`, for fewer items than values.

    By way of the items' products with one another (Woodbury's identity), which are a smaller matrix
    than the covariance.

    Args:
        vectors: float32 [n, d].
        targets: int64 [n], columns of the leaves; each leaf has an item at least.
        leaves: how many there are.
        shrinkages: above 0, below 1.
    """
    middle = vectors.mean(dim=0)
    moved = (vectors - middle).double()
    sums = torch.zeros(leaves, vectors.shape[1], dtype=torch.float64).index_add_(0, targets, moved)
    centres = sums / torch.bincount(targets, minlength=leaves).unsqueeze(1)
    apart = moved - centres[targets]
    products, toward = apart @ apart.T, apart @ (centres + middle).T
    variance = (products.trace() / vectors.numel()).clamp(min=1e-12)
    for shrinkage in shrinkages:
        sphere = shrinkage * variance
        ridge = sphere * len(vectors) / (1 - shrinkage) * torch.eye(len(vectors))
        inner = torch.cholesky_solve(toward, torch.linalg.cholesky(products + ridge))
        weight = (centres + middle - inner.T @ apart) / sphere
        yield weight.float(), -0.5 * (weight * (centres + middle)).sum(dim=1).float()

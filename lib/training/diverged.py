"""Saying where a training has stopped to learn: which batch gave no number."""

from collections.abc import Sequence

import torch.distributed as dist

from lib.errors import ReshelveError

NAMED = 3  # photos of the batch


class DivergedError(ReshelveError):
    """The loss is not a finite number."""


def diverged_at(item_ids: Sequence[str], *, is_finite: bool) -> DivergedError:
    """Return, on all workers alike, the error that names the photos whose loss is no number.

    Args:
        item_ids: of this worker's batch.
        is_finite: whether this worker's loss is a number: then another's is not.
    """
    mine = [] if is_finite else [*item_ids]
    shares: list[list[str]] = [[]] * dist.get_world_size()
    dist.all_gather_object(shares, mine)
    named = next((share for share in shares if share), [*item_ids])
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return DivergedError(
        f"the loss is not a finite number at a batch of {', '.join(named[:NAMED])}{more}; "
        "the checkpoint before it is kept: lower training.learning_rate, or set "
        "training.precision to fp32"
    )

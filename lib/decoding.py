"""Where images are decoded: inside the actor that classifies, or by helpers beside it."""

from collections.abc import Callable
from typing import Literal

from lib.receipt import Receipt

Decode = Literal["inline", "pool", "auto"]
WORTH_IT = 1.2  # the model must be this much faster: pixels that travel cost something, too


def helper_count(
    decode: Decode, *, free: float, gpus: int, cpu_nodes: bool, short: Callable[[], float]
) -> int:
    """Say how many helpers, of one core each, fetch and decode for the actors.

    Args:
        decode: of the run file.
        free: cores that nobody has reserved, of nodes without a GPU where there are any.
        gpus: that actors classify on.
        cpu_nodes: whether there are nodes without a GPU beside those with one.
        short: measures how many cores the actors need beside their own.
    """
    most = max(int(free), 0)
    if decode == "pool":
        return max(most, 1)
    if decode == "inline" or not gpus:
        return 0
    # cores beside a GPU are idle otherwise, and as processes they decode three times what an
    # actor's threads do, which wait for each other's Python
    return min(most, round(short())) if cpu_nodes else most


def cores_short(receipt: Receipt, cores: float) -> float:
    """Say how many more cores an actor needs for its images to keep its model busy.

    Args:
        receipt: of a sample that the actor has fetched, decoded and classified.
        cores: that it decodes on.

    Returns:
        Cores of other nodes, 0 where its own are enough.
    """
    if not receipt.forward_s:
        return 0.0
    needed = receipt.decode_s / receipt.forward_s
    return needed - cores if needed > WORTH_IT * cores else 0.0

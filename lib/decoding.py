"""Where images are decoded: inside the actor that classifies, or on nodes that only help."""

from typing import Literal

from lib.receipt import Receipt

Decode = Literal["inline", "pool", "auto"]
WORTH_IT = 1.2  # the model must be this much faster: pixels that travel cost something, too


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

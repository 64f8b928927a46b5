"""What a bundle says of names: how they are weighed beside the image, and what is promised."""

from typing import Annotated

from pydantic import Field

from lib.config.config import Config
from lib.labels.decisions import NEVER
from lib.labels.promises import Claim
from lib.taxonomy.ids import CategoryId

Threshold = Annotated[float, Field(ge=0, le=NEVER)]


class Kept(Config):
    """Thresholds of one kind of item, and what held-out items say of them."""

    threshold: Threshold  # of categories that `thresholds` does not name
    thresholds: dict[CategoryId, Threshold] = Field(default_factory=dict)
    claims: tuple[Claim, ...] = ()


class NamesInfo(Config):
    """`names` of `bundle.json`: how titles are used.

    The fused probability of a category goes as that of the image to the power `image_weight`,
    times that of the name to the power `name_weight`.
    """

    version: int  # of how titles are taken apart
    encoder: str | None = None  # name of the text encoder in the place of n-grams
    category_ids: tuple[CategoryId, ...]  # of the columns of weights; those of one leaf add up
    temperature: float = Field(gt=0)
    image_weight: float = Field(ge=0)
    name_weight: float = Field(ge=0)
    both: Kept  # of items with an image and a name
    alone: Kept  # of items whose name is all that there is
    metrics: dict[str, float] = Field(default_factory=dict)

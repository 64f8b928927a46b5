"""Preprocessing as data; `lib.images.resize` applies it, the same in training and inference."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lib.hashing import digest_json

Positive = Annotated[float, Field(gt=0)]
Fit = Literal["crop", "pad", "squash"]
Interpolation = Literal["bilinear-antialias"]


class Preprocessing(BaseModel):
    """How a picture becomes the model's input; a bundle holds it and its digest."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    size_px: int = Field(ge=8, le=2_048)  # a bundle must not take all memory
    fit: Fit
    mean: tuple[float, float, float]
    std: tuple[Positive, Positive, Positive]
    interpolation: Interpolation = "bilinear-antialias"

    @property
    def digest(self) -> str:
        """Name these settings: the SHA-256 of their canonical JSON."""
        return digest_json(self.model_dump(mode="json"))

"""Preprocessing as data; `lib.images.preparer` applies it, the same in training and inference."""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from lib.hashing import digest_json

Positive = Annotated[float, Field(gt=0)]
Fit = Literal["crop", "pad", "squash"]
Interpolation = Literal["bilinear-antialias"]
Decode = Literal["full", "scaled-2x"]


class Preprocessing(BaseModel):
    """How a picture becomes the model's input; a bundle holds it and its digest."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    size_px: int = Field(ge=8, le=2_048)  # a bundle must not take all memory
    fit: Fit
    mean: tuple[float, float, float]
    std: tuple[Positive, Positive, Positive]
    interpolation: Interpolation = "bilinear-antialias"
    decode: Decode = "full"  # as bundles of before this key have it; see `lib.images.scaling`

    @model_serializer(mode="wrap")
    def _as_before(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Say nothing of a full decode: digests of before this key stay as they were."""
        said: dict[str, Any] = serialise(self)
        if self.decode == "full":
            said.pop("decode", None)
        return said

    @property
    def digest(self) -> str:
        """Name these settings: the SHA-256 of their canonical JSON."""
        return digest_json(self.model_dump(mode="json"))

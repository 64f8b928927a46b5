"""How images are read: how many at a time, from where, and what one may cost."""

from collections.abc import Iterable
from typing import Self

from pydantic import Field

from lib.config.config import Config
from lib.images.formats import DecodeLimits


class ReadingConfig(Config):
    """How images are read, and which are refused as too large or too slow."""

    threads: int = Field(default=16, ge=1)
    max_retries: int = Field(default=1000, ge=0, description="of reads, per actor and run")
    max_image_pixels: int = Field(default=64_000_000, ge=1)
    max_image_bytes: int = Field(default=100 * 2**20, ge=1)
    stores: tuple[str, ...] | None = None
    timeout_s: float = Field(default=60.0, gt=0)

    @property
    def limits(self) -> DecodeLimits:
        """What one image may cost."""
        return DecodeLimits(max_pixels=self.max_image_pixels, max_bytes=self.max_image_bytes)

    def within(self, stores: Iterable[str]) -> Self:
        """Allow these stores, unless the run file says which."""
        if self.stores is not None:
            return self
        return self.model_copy(update={"stores": tuple(sorted({*stores}))})

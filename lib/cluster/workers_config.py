"""How many workers train, and what each reserves."""

import re

from pydantic import Field, field_validator

from lib.config.config import Config

RANGE = re.compile(r"(\d+)(?:\.\.(\d+))?")


class WorkersConfig(Config):
    """The group of workers, and what each reserves."""

    count: int | str = 2  # or 'least..most': as many as the cluster has, at any time
    cpus: float = Field(default=1, gt=0)
    gpus: float = Field(default=0, ge=0)
    max_failures: int = Field(default=3, ge=0)

    @field_validator("count")
    @classmethod
    def _number_or_range(cls, count: int | str) -> int | str:
        found = RANGE.fullmatch(str(count))
        if not found or not 1 <= int(found[1]) <= int(found[2] or found[1]):
            raise ValueError("should be a number of workers, as 4, or a range of them, as 2..8")
        return count

    @property
    def least(self) -> int:
        """With fewer workers the training waits."""
        return int(str(self.count).partition("..")[0])

    @property
    def most(self) -> int:
        """More are not used."""
        return int(str(self.count).rpartition("..")[2])

    @property
    def is_elastic(self) -> bool:
        """Whether the number may change on the way."""
        return isinstance(self.count, str)

"""What a run classifies with: its pool of actors, and what all its units have in common."""

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from lib.config.config import Config
from lib.images.config import ReadingConfig
from lib.models.options import Device, EnginePrecision, Runtime
from lib.runs.run import Run

Where = Literal["auto", "here", "ray"]
Decode = Literal["inline", "pool", "auto"]
SAMPLE_ITEMS = 128  # that an actor's rate is measured on


class EngineConfig(Config):
    """The pool of actors and what each may use; None fits it to the machine."""

    where: Where = "auto"
    device: Device = "auto"
    runtime: Runtime = "auto"
    precision: EnginePrecision = "auto"
    actors: int | None = Field(default=None, ge=1)
    cpus_per_actor: int = Field(default=2, ge=1)
    batch_size: int | None = Field(default=None, ge=1)  # None: `Networks.batch`
    unit_size: int = Field(default=512, ge=1)
    decode: Decode = "auto"

    @model_validator(mode="after")
    def _helpers_are_on_ray(self) -> Self:
        if self.where == "here" and self.decode == "pool":
            raise ValueError("has decode: pool, whose processes run on Ray, and where: here")
        return self


@dataclass(frozen=True, kw_only=True)
class UnitJob:
    """What all units of a run have in common; travels to the actors."""

    run: Run
    bundle_uri: str
    engine: EngineConfig
    reading: ReadingConfig
    embeddings: bool = False  # whether units write them beside their labels
    command: str = ""  # names the driver that begins the units
    by_name: bool = True  # whether a name alone may label an item whose image fails

"""Receipts: what a finished unit tells the driver. Progress, metrics and manifest are their sum."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from lib.config.config import Config


class Counts(Config):
    """What adds up over units."""

    items: int
    labelled: int
    errors: dict[str, int]
    decisions: dict[str, int]
    bytes_fetched: int
    retries: int
    fetch_s: float  # waiting for the store, summed over threads
    decode_s: float  # of one core
    forward_s: float  # of the device


class Receipt(Counts):
    """One unit's counts and seconds; travels as JSON in the metadata of its shard."""

    unit: int
    seconds: float  # from the unit's start to its end
    engine: str

    @property
    def images_per_s(self) -> float:
        """Rate of the one actor, this unit alone."""
        return self.items / self.seconds


class Totals(Counts):
    """The sum of receipts."""

    units: int
    engines: tuple[str, ...]

    @property
    def error_count(self) -> int:
        """Items that are error rows."""
        return sum(self.errors.values())

    def __add__(self, other: "Totals") -> "Totals":
        """Sum the totals of distinct units."""
        engines = tuple(sorted({*self.engines, *other.engines}))
        return Totals(**_sum([self, other]), units=self.units + other.units, engines=engines)


def add_up(receipts: Iterable[Receipt]) -> Totals:
    """Sum receipts of distinct units."""
    every = list(receipts)
    engines = tuple(sorted({receipt.engine for receipt in every}))
    return Totals(**_sum(every), units=len(every), engines=engines)


def _sum(every: Sequence[Counts]) -> dict[str, Any]:
    summed: dict[str, Any] = {}
    for name, field in Counts.model_fields.items():
        values = [getattr(each, name) for each in every]
        if field.annotation in (int, float):
            summed[name] = sum(values)
        else:
            summed[name] = dict(sum(map(Counter, values), Counter()).most_common())
    return summed

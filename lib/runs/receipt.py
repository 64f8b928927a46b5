"""Receipts: what a finished unit tells the driver. Progress, metrics and manifest are their sum."""

from collections import Counter
from collections.abc import Iterable

from lib.config.config import Config


class Receipt(Config):
    """One unit's counts and seconds; travels as JSON in the metadata of its shard."""

    unit: int
    items: int
    labelled: int
    errors: dict[str, int]
    decisions: dict[str, int]
    bytes_fetched: int
    retries: int
    fetch_s: float  # waiting for the store, summed over threads
    decode_s: float  # of one core
    forward_s: float  # of the device
    seconds: float  # from the unit's start to its end
    engine: str

    @property
    def images_per_s(self) -> float:
        """Rate of the one actor, this unit alone."""
        return self.items / self.seconds


class Totals(Config):
    """The sum of receipts."""

    units: int
    items: int
    labelled: int
    errors: dict[str, int]
    decisions: dict[str, int]
    bytes_fetched: int
    retries: int
    fetch_s: float
    decode_s: float
    forward_s: float
    engines: tuple[str, ...]

    @property
    def error_count(self) -> int:
        """Items that are error rows."""
        return sum(self.errors.values())

    @property
    def error_rate(self) -> float:
        """Share of items that are error rows, 0 to 1."""
        return self.error_count / self.items if self.items else 0.0

    def __add__(self, other: "Totals") -> "Totals":
        """Sum the totals of distinct units."""
        summed = {
            name: getattr(self, name) + getattr(other, name)
            for name in type(self).model_fields
            if name not in {"errors", "decisions", "engines"}
        }
        return Totals(
            **summed,
            errors=dict((Counter(self.errors) + Counter(other.errors)).most_common()),
            decisions=dict(Counter(self.decisions) + Counter(other.decisions)),
            engines=tuple(sorted({*self.engines, *other.engines})),
        )


def add_up(receipts: Iterable[Receipt]) -> Totals:
    """Sum receipts of distinct units."""
    every = list(receipts)
    errors: Counter[str] = Counter()
    decisions: Counter[str] = Counter()
    for receipt in every:
        errors.update(receipt.errors)
        decisions.update(receipt.decisions)
    return Totals(
        units=len(every),
        items=sum(r.items for r in every),
        labelled=sum(r.labelled for r in every),
        errors=dict(errors.most_common()),
        decisions=dict(decisions),
        bytes_fetched=sum(r.bytes_fetched for r in every),
        retries=sum(r.retries for r in every),
        fetch_s=sum(r.fetch_s for r in every),
        decode_s=sum(r.decode_s for r in every),
        forward_s=sum(r.forward_s for r in every),
        engines=tuple(sorted({r.engine for r in every})),
    )

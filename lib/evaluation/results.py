"""What an evaluation finds, as plain data."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CategoryScore:
    """One category against known labels; fractions are 0 to 1."""

    category_id: str
    path: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Predictions against known labels: rows of `confusion` are true, columns predicted."""

    items: int
    accuracy: float
    categories: list[CategoryScore]
    confusion: list[list[int]]


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Held-out items whose confidence falls in one bin: stated against observed."""

    confidence: float
    accuracy: float
    items: int

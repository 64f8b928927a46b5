# ruff: noqa: T201  # they speak to a person
"""What all turns have found: means over the draws, with intervals, as a table and by the goals."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from benchmarks.accuracy_contenders import OURS, PEERS, Turn
from benchmarks.labels import ALL
from lib.evaluation.answers import answers_of
from lib.evaluation.assessment import assess
from lib.evaluation.intervals import Estimate, Floats, bootstrap
from lib.taxonomy.taxonomy import Taxonomy

Setting = tuple[str, str]  # the backbone and the labels of each category


@dataclass(frozen=True, kw_only=True)
class Row:
    """One contender in one setting, over its draws.

    Attributes:
        contender: its name.
        setting: where.
        accuracy: mean over the draws; the interval says what other photos would change, not what
            other labels would.
        by_draw: accuracy of each draw.
        error: mean expected calibration error, and of the ends of its intervals.
        cpu_s: mean, training and answers.
        seconds: mean, training.
        failures: why a draw has no result.
    """

    contender: str
    setting: Setting
    accuracy: Estimate | None
    by_draw: list[float]
    error: Estimate | None
    cpu_s: float
    seconds: float
    failures: list[str]


def to_rows(turns: Iterable[Turn], taxonomy: Taxonomy) -> list[Row]:
    """Put turns of one contender in one setting together, in the order in which they began."""
    groups: dict[tuple[Setting, str], list[Turn]] = {}
    for turn in turns:
        groups.setdefault(((turn.backbone, turn.labels), turn.contender), []).append(turn)
    return [_to_row(group, taxonomy) for group in groups.values()]


def _to_row(turns: list[Turn], taxonomy: Taxonomy) -> Row:
    tables = [turn.predictions for turn in turns if turn.predictions is not None]
    assessed = [assess(table, taxonomy, turns[0].contender) for table in tables]
    right = [answers_of(table, taxonomy, "").right for table in tables]
    accuracy = None
    # where a photo could not be read the draws differ in length; no mean goes over them then
    if right and len({len(each) for each in right}) == 1:
        items: Floats = np.stack(right).astype(np.float64).mean(axis=0)
        (accuracy,) = bootstrap(items[:, None], lambda sums: sums / len(items))
    whole = [turn for turn in turns if turn.predictions is not None] or turns
    errors = [each.calibration.error for each in assessed if each.calibration]
    return Row(
        contender=turns[0].contender,
        setting=(turns[0].backbone, turns[0].labels),
        accuracy=accuracy,
        by_draw=[float(each.mean()) for each in right],
        error=_mean(errors) if errors else None,
        cpu_s=statistics.mean(turn.cpu_s for turn in whole),
        seconds=statistics.mean(turn.train_s for turn in whole),
        failures=[f"seed {turn.seed}: {turn.failure}" for turn in turns if turn.failure],
    )


def _mean(estimates: list[Estimate]) -> Estimate:
    value, low, high = (
        statistics.mean(ends)
        for ends in zip(*((each.value, each.low, each.high) for each in estimates), strict=True)
    )
    return Estimate(value=value, low=max(low, 0.0), high=high)


def print_table(rows: Iterable[Row]) -> None:
    """Print one block for each setting, the best first."""
    settings: dict[Setting, list[Row]] = {}
    for row in rows:
        settings.setdefault(row.setting, []).append(row)
    for (backbone, labels), block in settings.items():
        print(f"\n{backbone}, {labels} labels" + ("" if labels == ALL else " a category"))
        print(f"{'':>12}  {'accuracy':<20}{'calibration error':<21}{'CPU s':>7}{'s':>7}  by draw")
        for row in sorted(block, key=lambda each: -(each.accuracy.value if each.accuracy else 0)):
            draws = " ".join(f"{each:.3f}" for each in row.by_draw)
            print(
                f"{row.contender:>12}  {_said(row.accuracy):<20}{_said(row.error):<21}"
                f"{row.cpu_s:>7.0f}{row.seconds:>7.0f}  {draws}"
            )
            for failure in row.failures:
                print(f"{'':>12}  {failure}")


def _said(estimate: Estimate | None) -> str:
    if estimate is None:
        return "none"
    return f"{estimate.value:.3f} ({estimate.low:.3f}-{estimate.high:.3f})"


def to_goals(rows: Iterable[Row], turns: Iterable[Turn]) -> dict[str, float | None]:
    """Return the figures that have goals; None where nothing was measured."""
    accuracy: dict[tuple[Setting, str], float] = {}
    error: dict[tuple[Setting, str], float] = {}
    for row in rows:
        key = (row.setting, row.contender)
        accuracy |= {key: row.accuracy.value} if row.accuracy else {}
        error |= {key: row.error.value} if row.error else {}
    found: dict[str, float | None] = {"train_s": None, "first_bundle_s": None}
    for labels in ("10", "30", ALL):
        setting = ("lite0", labels)
        peers = [accuracy[setting, peer] for peer in PEERS if (setting, peer) in accuracy]
        found[f"acc_{labels}"] = accuracy.get((setting, OURS))
        found[f"peer_{labels}"] = max(peers, default=None)
        found[f"tiny_{labels}"] = accuracy.get((("tiny", labels), OURS))
        if labels != "30":
            found[f"ece_{labels}"] = error.get((setting, OURS))
    for turn in turns:
        if (turn.backbone, turn.labels, turn.contender, turn.failure) == ("lite0", ALL, OURS, ""):
            found |= {"train_s": turn.train_s, "first_bundle_s": turn.first_bundle_s}
    return found

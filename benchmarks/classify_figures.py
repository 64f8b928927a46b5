# ruff: noqa: T201  # they speak to a person
"""The figures of the classification benchmark: what they are made of, their goals, the last line.

A figure that was not measured is null, and it is said why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.contest import LIBRARIES, PLAIN, TUNED

OURS, BARE = "reshelve", "no embeddings"
S3, DISK, LARGE, DEFAULT = "s3", "disk", "large", "default"  # contests
Row = Mapping[str, float]
Tables = Mapping[str, Mapping[str, Row]]  # rows by contest and contender


@dataclass(frozen=True)
class Ratio:
    """How many times better ours is than the best of some contenders."""

    contest: str
    figure: Literal["steady", "whole_s"]
    others: tuple[str, ...]


RATIOS = {
    "steady_ratio": Ratio(S3, "steady", LIBRARIES),
    "whole_job_ratio": Ratio(S3, "whole_s", LIBRARIES),
    "script_ratio": Ratio(S3, "steady", (PLAIN,)),
    "script_disk_ratio": Ratio(DISK, "steady", (PLAIN,)),
    "script_disk_job_ratio": Ratio(DISK, "whole_s", (PLAIN,)),
    "large_steady_ratio": Ratio(LARGE, "steady", LIBRARIES),
    "large_script_ratio": Ratio(LARGE, "steady", (TUNED,)),
}
ROOFLINES = {"roofline_fraction": S3, "large_roofline_fraction": LARGE}
AT_MOST = {"first_shard_s", "small_night_s", "peak_memory_gib"}  # of the goals, these


def goals(*, amx: bool) -> dict[str, float]:
    """Return the goals by figure."""
    return {
        "steady_ratio": 10 if amx else 7,
        "large_steady_ratio": 8,
        "script_ratio": 2.5,
        "script_disk_ratio": 2,
        "script_disk_job_ratio": 1.3,
        "large_script_ratio": 1.3,
        "whole_job_ratio": 6,
        "roofline_fraction": 0.92,
        "large_roofline_fraction": 0.92,
        "first_shard_s": 5,
        "small_night_s": 6,
        "label_agreement": 1.0,
        "peak_memory_gib": 2.5,
    }


def to_figures(tables: Tables, floors: Mapping[str, Row]) -> dict[str, float | None]:
    """Return the figures that contests give; None where a contender that it needs has no row.

    Args:
        tables: the contests' rows, see `Contest.summary`.
        floors: of the contests for which a roofline was measured.
    """
    found = {name: _ratio(ratio, tables) for name, ratio in RATIOS.items()}
    for name, contest in ROOFLINES.items():
        ours, floor = _value(tables, contest, OURS, "steady"), floors.get(contest)
        found[name] = round(ours / floor["images_per_s"], 3) if ours and floor else None
    found["first_shard_s"] = _value(tables, S3, OURS, "first_s")
    found["peak_memory_gib"] = _value(tables, S3, OURS, "peak_memory_gib")
    with_them, without = (_value(tables, S3, each, "steady") for each in (OURS, BARE))
    share = 1 - with_them / without if with_them and without else None
    found["embeddings_cost"] = None if share is None else round(share, 3)
    found["lite0_images_per_s"] = _value(tables, DEFAULT, OURS, "steady")
    return found


def _value(tables: Tables, contest: str, contender: str, figure: str) -> float | None:
    return tables.get(contest, {}).get(contender, {}).get(figure)


def _ratio(ratio: Ratio, tables: Tables) -> float | None:
    ours = _value(tables, ratio.contest, OURS, ratio.figure)
    others = [_value(tables, ratio.contest, each, ratio.figure) for each in ratio.others]
    known = [each for each in others if each]
    if not ours or len(known) < len(others):
        return None
    if ratio.figure == "whole_s":
        return round(min(known) / ours, 2)
    return round(ours / max(known), 2)


def print_figures(figures: Mapping[str, Any], reasons: Mapping[str, str], *, amx: bool) -> None:
    """Print each figure beside its goal; of one that was not measured, why.

    Args:
        figures: by name.
        reasons: what went wrong, by the name of a figure or of a contest.
        amx: whether the processor has it.
    """
    wanted = goals(amx=amx)
    print(f"\n{'':>24}{'measured':>10}  goal")
    for name, value in figures.items():
        goal = wanted.get(name)
        if value is None:
            print(f"{name:>24}{'null':>10}  {_reason(name, reasons)}")
        elif isinstance(value, int | float):
            bound = "" if goal is None else f"{'<=' if name in AT_MOST else '>='} {goal:g}"
            print(f"{name:>24}{value:>10g}  {bound}{_verdict(name, value, goal)}")


def _verdict(name: str, value: float, goal: float | None) -> str:
    if goal is None:
        return ""
    kept = value <= goal if name in AT_MOST else value >= goal
    return "" if kept else ", missed"


def _reason(name: str, reasons: Mapping[str, str]) -> str:
    """Return why a figure is null: of it, or of what it is made of."""
    contest = RATIOS[name].contest if name in RATIOS else ROOFLINES.get(name, "")
    contest = DEFAULT if name == "lite0_images_per_s" else contest or S3
    return reasons.get(name) or reasons.get(contest) or "not measured: no time was left"

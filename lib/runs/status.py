"""How runs stand, in a few lines for a person."""

from collections.abc import Sequence
from typing import Any

from lib.runs.progress import plural
from lib.runs.state import RunState

# of a run's figures, what `--json` says and a line for a person leaves out
ONLY_JSON = {
    "items", "done", "bytes_fetched", "retries", "fetch_s", "decode_s", "forward_s", "node_hours",
}  # fmt: skip


def status_lines(state: RunState) -> list[str]:
    """Say how a run stands."""
    lines = [
        f"run {state.run_id}: {state.job}, begun {state.begun.isoformat()}",
        state.sentence
        if state.sentence.startswith(state.state)
        else f"{state.state}: {state.sentence}",
    ]
    if state.figures:
        figures = {name: each for name, each in state.figures.items() if name not in ONLY_JSON}
        lines.append(f"figures of {figures.pop('at')}: {_plain(figures)}")
    return lines


def list_lines(states: Sequence[RunState]) -> list[str]:
    """Say how some runs stand, in a line each."""
    width = max((len(each.run_id) for each in states), default=0)
    lines = []
    for each in states:
        version = "" if each.version is None else f"version {each.version}"
        items = "" if each.items is None else plural(each.items, "item")
        begun = each.begun.strftime("%Y-%m-%d %H:%M")
        line = f"{begun}  {each.run_id:<{width}}  {each.state:<9}  {version:<11}  {items}"
        lines.append(line.rstrip())
    return lines


def _figure(value: float) -> str:
    """Return a figure with no more digits than a person reads: 1.672, 1,234.6, 0.000312."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"


def _plain(line: dict[str, Any]) -> str:
    parts = []
    for key, value in line.items():
        if isinstance(value, dict):
            parts += [f"{key} {reason} {count:,}" for reason, count in value.items()]
        else:
            parts.append(f"{key} {_figure(value)}")
    return ", ".join(parts)

"""The state of a run, from its folder alone."""

from datetime import UTC, datetime
from typing import Any

from lib.runs import files
from lib.runs.compaction import finished_parts
from lib.runs.manifest import read_manifest
from lib.runs.metrics_log import read_figures
from lib.runs.plan import Plan
from lib.runs.progress import duration
from lib.runs.run import Run
from lib.runs.shards import finished_units

QUIET_S = 300.0  # a unit or an epoch may well take a minute


def status_lines(run: Run) -> list[str]:
    """Say how a run stands, in a few lines for a person.

    Raises:
        InputError: there is no such run.
    """
    record = run.record
    lines = [f"run {run.run_id}: {record.job}, begun {record.created_at.isoformat()}"]
    outcome = run.outcome
    if outcome:
        return [*lines, f"ended: {outcome.get('sentence') or outcome['state']}", *_latest(run)]
    if (manifest := read_manifest(run)) is not None:
        totals = manifest.totals
        counts = f"{totals.labelled:,} of {totals.items:,} items labelled"
        return [*lines, f"classified, not published: {counts}, {totals.error_count:,} errors"]
    return [*lines, _under_way(run), *_latest(run)]


def _under_way(run: Run) -> str:
    # a backfill has a second plan inside, of the rows that are classified from their images
    parts = [each for each in (run, run.within(files.PIXELS)) if each.exists(files.PLAN)]
    if not parts:
        return "under way" if read_figures(run) else "begun, nothing done yet"
    items = units = items_done = units_done = 0
    for part in parts:
        plan = Plan(part)
        # a backfill's units are parts at once, all others are shards first
        done = finished_units(part) or finished_parts(part, plan)
        items, units = items + plan.items, units + len(plan.units)
        items_done, units_done = items_done + plan.count(done), units_done + len(done)
    return f"under way: {items_done:,} of {items:,} items in {units_done:,} of {units:,} units"


def _latest(run: Run) -> list[str]:
    if not (figures := read_figures(run)):
        return []
    line: dict[str, Any] = dict(figures[-1])
    at = datetime.fromisoformat(line.pop("at"))
    said = [f"figures of {at.isoformat()}: {_plain(line)}"]
    quiet_s = (datetime.now(UTC) - at).total_seconds()
    if run.outcome is None and quiet_s > QUIET_S:
        said.append(
            f"nothing was heard of it for {duration(quiet_s)}: if no job runs any more, the "
            "command that began it goes on"
        )
    return said


def _plain(line: dict[str, Any]) -> str:
    parts = []
    for key, value in line.items():
        if isinstance(value, dict):
            parts += [f"{key} {reason} {count:,}" for reason, count in value.items()]
        else:
            parts.append(f"{key} {value:,}")
    return ", ".join(parts)

"""The state of a run, from its folder alone."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from lib.runs import files
from lib.runs.compaction import finished_parts
from lib.runs.heartbeat import DEAD_AFTER_S, read_beat
from lib.runs.manifest import read_manifest
from lib.runs.metrics_log import Line, read_figures
from lib.runs.plan import Plan
from lib.runs.progress import duration, plural
from lib.runs.run import Run
from lib.runs.shards import finished_units
from lib.storage.storage import Storage
from lib.storage.uris import absolute, join


@dataclass(frozen=True, kw_only=True)
class RunState:
    """How a run stands.

    Attributes:
        run_id: the run.
        job: what it does.
        begun: when.
        state: running, dead, failed, finished (and not published), or what became of it:
            published, unchanged, refused, conflict, trained, embedded, evaluated.
        sentence: the same for a person.
        items: how many it has, or None where that is not known.
        done: how many of them are done, or None.
        version: of the table that it was published as, or None.
        heard: when it last gave a sign.
        figures: the latest.
    """

    run_id: str
    job: str
    begun: datetime
    state: str
    sentence: str
    items: int | None = None
    done: int | None = None
    version: int | None = None
    heard: datetime
    figures: Line | None = None

    def to_json(self) -> dict[str, Any]:
        """The same for a program."""
        times = {"begun": self.begun.isoformat(), "heard": self.heard.isoformat()}
        return asdict(self) | times


def state_of(run: Run) -> RunState:
    """Read how a run stands.

    Raises:
        InputError: there is no such run.
    """
    record, figures, beat = run.record, read_figures(run), read_beat(run)
    signs = [record.created_at, *([beat.at] if beat else [])]
    if figures:
        signs.append(datetime.fromisoformat(figures[-1]["at"]))
    known: dict[str, Any] = {
        "run_id": run.run_id,
        "job": record.job,
        "begun": record.created_at,
        "heard": max(signs),
        "figures": figures[-1] if figures else None,
    }
    manifest = read_manifest(run)
    if manifest:
        known |= {"items": manifest.totals.items, "done": manifest.totals.items}
    if outcome := run.outcome:
        if "items" in outcome:
            known |= {"items": outcome["items"], "done": outcome["items"]}
        return RunState(
            **known,
            state=outcome["state"],
            sentence=outcome.get("sentence") or outcome["state"],
            version=outcome.get("version"),
        )
    if manifest:
        totals = manifest.totals
        counts = f"{totals.labelled:,} of {plural(totals.items, 'item')} labelled"
        errors = plural(totals.error_count, "error")
        sentence = f"classified, not published: {counts}, {errors}"
        return RunState(**known, state="finished", sentence=sentence)
    progress, numbers = _progress(run, figures)
    known |= numbers
    if beat and beat.failed:
        said = f"{beat.failed.rstrip('.')}. The command that began it resumes it ({progress})"
        return RunState(**known, state="failed", sentence=said)
    silent_s = (datetime.now(UTC) - max(signs)).total_seconds()
    if silent_s > DEAD_AFTER_S:
        said = (
            f"nothing was heard of it for {duration(silent_s)}: if no job runs any more, the "
            f"command that began it resumes it ({progress})"
        )
        return RunState(**known, state="dead", sentence=said)
    return RunState(**known, state="running", sentence=progress)


def states_below(output: str, storage: Storage, last: int) -> list[RunState]:
    """Read how the last runs of a folder of run folders stand, the newest first.

    Raises:
        InputError: the folder cannot be listed.
    """
    folder = absolute(output)
    runs = [Run(name, join(folder, name), storage) for name in storage.names(folder)]
    begun = [(run.record.created_at, run) for run in runs if run.exists(files.RECORD)]
    newest = sorted(begun, key=lambda each: (each[0], each[1].run_id), reverse=True)[:last]
    return [state_of(run) for _, run in newest]


def _progress(run: Run, figures: list[Line]) -> tuple[str, Mapping[str, int]]:
    # a backfill has a second plan inside, of the rows that are classified from their images
    parts = [each for each in (run, run.within(files.PIXELS)) if each.exists(files.PLAN)]
    if not parts:
        return _epochs(figures) or "begun, nothing done yet", {}
    items = units = items_done = units_done = 0
    for part in parts:
        plan = Plan(part)
        # a backfill's units are parts at once, all others are shards first
        done = finished_units(part) or finished_parts(part, plan)
        items, units = items + plan.items, units + len(plan.units)
        items_done, units_done = items_done + plan.count(done), units_done + len(done)
    said = f"{items_done:,} of {plural(items, 'item')} in {units_done:,} of {plural(units, 'unit')}"
    return f"under way: {said}", {"items": items, "done": items_done}


def _epochs(figures: list[Line]) -> str:
    """Say how far a training is, and how long the epochs that are left will take."""
    lines = [each for each in figures if "epoch" in each]
    if not lines:
        return "under way" if figures else ""
    last = lines[-1]
    said = f"under way: epoch {last['epoch']:,} of {last['epochs']:,}"
    if len(lines) < 2 or last["epoch"] <= lines[0]["epoch"]:
        return said
    times = [datetime.fromisoformat(each["at"]) for each in (lines[0], last)]
    epoch_s = (times[1] - times[0]).total_seconds() / (last["epoch"] - lines[0]["epoch"])
    return f"{said}, {duration(epoch_s * (last['epochs'] - last['epoch']))} left"

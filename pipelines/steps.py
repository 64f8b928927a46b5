"""The steps that classify, embed and backfill share: find, plan, begin, work off units, end."""

import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import ValidationInfo

from lib.errors import ConflictError, GateError
from lib.images.config import ReadingConfig
from lib.runs.begin import begin_run, find_run, open_run
from lib.runs.ending import Ending
from lib.runs.heartbeat import Heartbeat
from lib.runs.metrics_log import UnitFigures
from lib.runs.notify import Notifier, NotifyConfig
from lib.runs.plan import Plan
from lib.runs.progress import ItemProgress, stage
from lib.runs.receipt import Receipt
from lib.runs.run import Intent, Run, RunFile
from lib.storage.storage import Storage
from lib.storage.uris import absolute, is_within

Say = Callable[[str], None]  # takes each line for the person who waits
PlannedT = TypeVar("PlannedT")
ValueT = TypeVar("ValueT")
CATALOGS = ("catalog", "validation", "adapt")  # keys of run files
SIDES = ("left", "right")  # of a match


def within_catalogs(reading: ReadingConfig, info: ValidationInfo) -> ReadingConfig:
    """Let a run file's images be read from the stores of its catalogs, unless it says which."""
    # a catalog is missing where it is not valid itself
    catalogs = (info.data.get(key) for key in (*CATALOGS, *SIDES))
    return reading.within(each.store for each in catalogs if each)


def apart_from_catalogs(value: ValueT, info: ValidationInfo) -> ValueT:
    """Refuse a run that would write among a catalog's images, or read what runs have written.

    Raises:
        ValueError: a catalog and a place that is written to lie in each other.
    """
    catalog = getattr(value, "folder", None)
    if catalog and (output := info.data.get("output")) and is_within(catalog, absolute(output)):
        raise ValueError(f"should lie outside 'output', which is {absolute(output)}")
    if isinstance(value, str):
        for each in (info.data.get(key) for key in (*CATALOGS, *SIDES)):
            if each and each.folder and is_within(absolute(value), each.folder):
                raise ValueError(f"should lie outside the catalog {each.folder}")
    elif catalog and output and is_within(absolute(output), catalog):
        raise ValueError(f"should not hold 'output', {absolute(output)}: runs are no images")
    return value


class Job(Protocol[PlannedT]):
    """What is a job's own: its intent, its plan, its work, and how it ends."""

    @property
    def storage(self) -> Storage:
        """How to reach all places."""

    @property
    def intent(self) -> Intent:
        """What the run is to do, by its fingerprint."""

    def plan(self, folder: Path) -> PlannedT:
        """Write the plan into a local folder; what cannot be used is refused here."""

    def write_plan(self, run: Run, planned: PlannedT, folder: Path) -> None:
        """Write the plan into the run's folder; what `read_plan` reads comes last."""

    def read_plan(self, run: Run) -> PlannedT | None:
        """Read a run's plan, or None where it was not wholly written."""

    def work(self, run: Run, planned: PlannedT) -> None:
        """Do what is left of the run."""

    def end(self, run: Run) -> None:
        """Publish the run, or say how it ended."""


def open_unless_ended(
    config: RunFile, intent: Intent, storage: Storage, say: Say, ending: Ending | None
) -> Run | None:
    """Begin a run, or resume it; one that has ended before is said to have, and is None."""
    run = open_run(config.output, config.run_id, intent, storage)
    if ending:
        ending.run = run
    if outcome := run.outcome:
        say(f"{run} has ended before: {outcome['sentence']}")
        return None
    return run


def carry_out(
    job: Job[Any],
    config: RunFile,
    say: Say,
    ending: Ending | None = None,
    notify: NotifyConfig | None = None,
) -> None:
    """Begin a job's run, or resume it, and bring it to its end.

    Args:
        job: what is to be done.
        config: the run file: where runs lie, and the run's id if it is given.
        say: takes each line for the person who waits.
        ending: learns which run it is, as soon as there is one; or None.
        notify: whom to tell how it has ended, or None.

    Raises:
        InputError: something given cannot be used; no work was done.
        GateError: the run is finished, but a gate keeps it from being published.
        ConflictError: another run has published the same items meanwhile.
        ReshelveError: the run stopped; the same command resumes it.
    """
    ending = ending or Ending(job.intent.job)
    with stage(say, "looking for a run to resume", short=True):
        run = find_run(config.output, config.run_id, job.intent, job.storage)
    ending.run = run
    if run and (outcome := run.outcome):
        answer_again(run, outcome, say)
        return
    with Notifier(notify or NotifyConfig(), ending, say):
        planned = job.read_plan(run) if run else None
        if run is None or planned is None:
            # the run begins once it is known that all it needs can be read
            with tempfile.TemporaryDirectory() as folder:
                planned = job.plan(Path(folder))
                run = run or begin_run(config.output, config.run_id, job.intent, job.storage)
                ending.run = run
                with stage(say, "writing the plan", short=True):
                    job.write_plan(run, planned, Path(folder))
        say(f"{run}: {planned.sentence}")
        with Heartbeat(run):
            job.work(run, planned)
            job.end(run)


def answer_again(run: Run, outcome: dict[str, str], say: Say) -> None:
    """Answer for a run that has ended before as it was answered then.

    Raises:
        GateError: a gate had refused it.
        ConflictError: another run had published the same items.
    """
    sentence = f"{run} has ended before: {outcome['sentence']}"
    if outcome["state"] == "refused":
        raise GateError(sentence)
    if outcome["state"] == "conflict":
        raise ConflictError(sentence)
    say(sentence)


def meanwhile(load: Callable[[], object]) -> None:
    """Load on a thread what a later step needs.

    Worth it where this process waits for others, or computes without Python.
    """
    threading.Thread(target=load, name="imports").start()


def work_off(
    plan: Plan,
    done: Sequence[int],
    stream: Callable[[list[int], UnitFigures], Iterator[Receipt]],
    figures: UnitFigures,
    workers: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> None:
    """Do the units of a plan that are not done, with progress for whoever waits and figures.

    Args:
        plan: the run's.
        done: units that an earlier try has finished.
        stream: does units, and yields each one's receipt.
        figures: of the run; counts the receipts.
        workers: are there for as long as units are done.
    """
    left = sorted(set(plan.units) - set(done))
    if left:

        def rate() -> float:
            return figures.images_per_s

        shown = ItemProgress(plan.items, plan.count(done), rate, sys.stdout)
        with workers(), shown as progress:
            for receipt in stream(left, figures):
                figures.add(receipt)
                progress.add(receipt.items, sum(receipt.errors.values()))

"""The jobs that a desk may start: of the run files that it was given, and nothing else."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lib.desk.config import DeskConfig
from lib.errors import InputError

FIT = "fit"  # what a job is about that fits a head


@dataclass(frozen=True, kw_only=True)
class JobPlan:
    """A job that can be started.

    Attributes:
        job: its command, as `classify`.
        title: what it does, for a person.
        arguments: of its command.
        rehearsal: it only says what it would do.
        of: what it is about, so that what was tried is what is done; empty where nothing else can
            be meant.
        page: where it was started, which is gone on with at its end.
    """

    job: str
    title: str
    arguments: tuple[str, ...]
    rehearsal: bool = False
    of: str = ""
    page: str = "/runs"


@dataclass(frozen=True, kw_only=True)
class NewBundle:
    """A bundle that a head was fitted for: where it lies, and its digest."""

    uri: str
    digest: str


def classify_plan(config: DeskConfig, *, rehearsal: bool) -> JobPlan:
    """Plan a night.

    Args:
        config: of the desk.
        rehearsal: only say what would be done.

    Raises:
        InputError: the desk was given no run file for it.
    """
    return JobPlan(
        job="classify",
        title="Try tonight's run" if rehearsal else "Tonight's run",
        arguments=(_named(config.jobs.classify, "classify"), *_ends(rehearsal=rehearsal)),
        rehearsal=rehearsal,
    )


def head_plan(config: DeskConfig, bundle: NewBundle, *, rehearsal: bool) -> JobPlan:
    """Plan to label the table anew with a head that was fitted, on the kept embeddings.

    Args:
        config: of the desk.
        bundle: of the head.
        rehearsal: only say what would be done.

    Raises:
        InputError: the desk was given no run file for it.
    """
    given = {"head": bundle.uri, "taxonomy": None, "bundle": config.bundle}
    return JobPlan(
        job="backfill",
        title="Try the new head" if rehearsal else "Label the catalog with the new head",
        arguments=_backfill(config, given, rehearsal=rehearsal),
        rehearsal=rehearsal,
        of=bundle.digest,
        page="/teach",
    )


def fit_plan(config: DeskConfig, folder: str) -> JobPlan:
    """Plan to fit a new head on people's answers.

    Args:
        config: of the desk.
        folder: takes its bundle.

    Raises:
        InputError: the desk knows of no kept embeddings.
    """
    if config.embeddings is None:
        raise InputError(
            "a head is fitted on kept embeddings, and this desk was given none; whoever runs it "
            "adds 'embeddings' to its run file"
        )
    given = (f"--embeddings={config.embeddings}", f"--bundle={config.bundle}")
    arguments = ("fit", folder, *_tables(config), *given, *_reach(config), "--json")
    return JobPlan(job="review", title="Fit a new head", arguments=arguments, of=FIT, page="/teach")


def answers_plan(config: DeskConfig, by: str) -> JobPlan:
    """Plan to publish people's answers at once.

    Args:
        config: of the desk.
        by: who does.
    """
    arguments = ("publish", *_tables(config), f"--by={by}", *_reach(config), "--json")
    return JobPlan(job="review", title="Publish the answers", arguments=arguments, page="/teach")


def backfill_plan(
    config: DeskConfig, taxonomy: str, examples: str | None, of: str, *, rehearsal: bool
) -> JobPlan:
    """Plan a move of the table to the taxonomy that the desk has written.

    Args:
        config: of the desk.
        taxonomy: where it lies.
        examples: of its new categories, or None.
        of: the digest of the taxonomy.
        rehearsal: only say what would be done.

    Raises:
        InputError: the desk was given no run file for it.
    """
    given = {"taxonomy": taxonomy, "labelled.examples": examples, "bundle": config.bundle}
    return JobPlan(
        job="backfill",
        title="Try the new taxonomy" if rehearsal else "Move the catalog to the new taxonomy",
        arguments=_backfill(config, given, rehearsal=rehearsal),
        rehearsal=rehearsal,
        of=of,
        page="/taxonomy/changes",
    )


def publish_plan(
    config: DeskConfig, run: str, gates: Sequence[str] = (), reason: str = ""
) -> JobPlan:
    """Plan to publish a finished run, or one that its gates have refused.

    Args:
        config: of the desk.
        run: the run's folder.
        gates: that are passed over.
        reason: why.
    """
    accept = (f"--accept={','.join(gates)}", f"--reason={reason}") if gates else ()
    run_id = run.rsplit("/", 1)[-1]
    title = f"Publish {run_id} all the same" if gates else f"Publish {run_id}"
    return JobPlan(job="publish", title=title, arguments=(run, *accept, *_reach(config), "--json"))


def _backfill(
    config: DeskConfig, given: Mapping[str, str | None], *, rehearsal: bool
) -> tuple[str, ...]:
    settings = [word for key, value in given.items() for word in _setting(key, value)]
    return _named(config.jobs.backfill, "backfill"), *settings, *_ends(rehearsal=rehearsal)


def _tables(config: DeskConfig) -> tuple[str, str]:
    return f"--labels-table={config.labels_table}", f"--annotations={config.answers}"


def _reach(config: DeskConfig) -> tuple[str, ...]:
    """Return whose storage a job uses that has no run file of its own."""
    storage = config.jobs.classify or config.jobs.backfill
    return (f"--run-file={storage}",) if storage else ()


def _named(run_file: str | None, job: str) -> str:
    if run_file is None:
        raise InputError(
            f"this desk may not start this job: its run file names none; whoever runs the desk "
            f"adds it as jobs.{job}"
        )
    return run_file


def _setting(key: str, value: str | None) -> tuple[str, str]:
    return "--set", f"{key}={json.dumps(value, ensure_ascii=False)}"


def _ends(*, rehearsal: bool) -> tuple[str, ...]:
    return ("--dry-run", "--json") if rehearsal else ("--json",)

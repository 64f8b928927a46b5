"""Publishing any finished run: gates, one commit, the report, the end of the run."""

import getpass
import os
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from pyarrow import parquet

from lib.errors import ConflictError, GateError
from lib.labels.all_failed import all_failed
from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from lib.labels.gates import Acceptance, GateResult, judge, measure_changes
from lib.labels.history import Made, newest_made
from lib.labels.moves import moved_items, moved_pairs
from lib.models.bundle import read_bundle
from lib.runs import files
from lib.runs.manifest import Manifest, read_manifest
from lib.runs.progress import stage
from lib.runs.run import Run
from lib.schemas import LABELS_SCHEMA
from lib.sql import open_duckdb
from pipelines.answers import annotations_place
from pipelines.publication import (
    BEFORE,
    DUCK_MB,
    Finished,
    Judged,
    Publication,
    PublishConfig,
    Publisher,
    unfinished,
)
from pipelines.publish_answers import publish_answers
from pipelines.steps import Say


def publish_finished(
    config: PublishConfig,
    run: Run,
    publisher: Publisher,
    say: Say,
    accepted: Acceptance | None = None,
) -> None:
    """Publish a finished run, write its report, and end it.

    Args:
        config: where to, and what it must keep.
        run: the run.
        publisher: its job's own.
        say: takes each line for the person who waits.
        accepted: gates that a person lets it pass; it may have been refused before.

    Raises:
        InputError: the run is not finished, or the table cannot be written.
        GateError: a gate failed, or every item did for one reason; the table is as it was.
        ConflictError: another run has changed the same items meanwhile.
    """
    manifest = read_manifest(run)
    if manifest is None:
        raise unfinished(run)
    table = LabelsTable(config.labels_table, run.storage)
    with tempfile.TemporaryDirectory() as folder:
        with stage(say, "checking the gates"):
            finished = _fetch(run, manifest, table, publisher.base_version, Path(folder))
            with open_duckdb(DUCK_MB) as connection:
                before, removed = publisher.compare(connection, finished)
                measured = measure_changes(connection, finished.rows, before, removed)
                moves, moved = moved_items(connection), moved_pairs(connection)
                failed = all_failed(connection)
            drift = publisher.drift(finished, table)
            if drift:
                measured = measured.model_copy(update={"drift": drift.value})
            gates = judge(config.gates, measured, accepted)
        error = _failed(failed, run) if failed else _refused_by(gates, run)
        publication = (
            Publication(table=table.name, error=error)
            if error
            else _take_in(config, publisher, finished, gates, say)
        )
        judged = Judged(
            finished=finished,
            publication=publication,
            gates=gates,
            measured=measured,
            moves=moves,
            moved=moved,
            drift=drift,
        )
        with stage(say, "writing the report"):
            told = publisher.report(judged, config.reading)
    overruled = [
        {"gate": each.key, "limit": each.limit, "value": each.value, **asdict(each.accepted)}
        for each in gates
        if each.accepted
    ]
    outcome = {
        "state": publication.state,
        "sentence": publication.sentence,
        "version": publication.version,
        "verdict": told.headline,
        "measured": measured.model_dump(exclude_none=True),
    }
    run.end(outcome | ({"accepted": overruled} if overruled else {}), again=accepted is not None)
    for line in told.lines:
        say(line)
    for gate in gates:
        if gate.warns and not gate.passed:
            say(f"warning: {gate.sentence}")
    say(f"report: {run.at(files.REPORT)}")
    if publication.error:
        raise publication.error
    say(publication.sentence)


def _fetch(
    run: Run, manifest: Manifest, table: LabelsTable, base_version: int | None, folder: Path
) -> Finished:
    before = folder / "before.parquet"
    table.dump(base_version, BEFORE, before)
    rows = [folder / f"{number}.parquet" for number, _ in enumerate(manifest.parts)]
    for part, target in zip(manifest.parts, rows, strict=True):
        run.storage.download(run.at(part.path), target)
    if not rows:
        rows.append(folder / "none.parquet")
        parquet.write_table(LABELS_SCHEMA.empty_table(), rows[0])
    return Finished(run=run, manifest=manifest, folder=folder, rows=rows, before=before)


def _take_in(
    config: PublishConfig,
    publisher: Publisher,
    finished: Finished,
    gates: list[GateResult],
    say: Say,
) -> Publication:
    """Publish the run, or say why not."""
    table = LabelsTable(config.labels_table, finished.run.storage)
    change = publisher.change(finished)
    if change is None:
        return Publication(table=table.name, version=publisher.base_version, unchanged=True)
    overruled = [f"{each.sentence}; {each.result}" for each in gates if each.accepted]
    made = _made(finished, did=publisher.did(finished), gates="; ".join(overruled))
    change = replace(change, made=made)
    accepted = tuple(
        f"{each.key} was accepted by {each.accepted.by}" for each in gates if each.accepted
    )
    annotations = annotations_place(config.annotations, config.labels_table)
    with stage(say, "publishing"):
        try:
            _refuse_moved(table, change)
            # before, so that no reader finds the table moved and the answers not
            publisher.carry_answers(finished.run, annotations)
            version = table.publish(change)
        except ConflictError as error:
            return Publication(table=table.name, error=error)
        # and what was answered since the run was planned
        publisher.carry_answers(finished.run, annotations)
        publish_answers(config.labels_table, annotations, table.storage, user_name(), say)
    return Publication(table=table.name, version=version, accepted=accepted)


def _made(finished: Finished, **said: str) -> Made:
    run, bundle = finished.run, read_bundle(finished.manifest.bundle, finished.run.storage)
    of_run = {"run": run.uri, "run_id": run.run_id, "job": run.record.job, "by": user_name()}
    return bundle.made.model_copy(update=said | of_run)


def _refuse_moved(table: LabelsTable, change: Change) -> None:
    """Refuse rows of a taxonomy that the table has left since the run was planned.

    Raises:
        ConflictError: also where no item is the same, two taxonomies would stand in one table.
    """
    if change.whole:  # it takes the place of all rows, and any other change is in its way
        return
    newest = newest_made(table.history())
    since = -1 if change.base is None else change.base
    if newest is None or newest.number <= since or newest.made.run_id == change.run_id:
        return
    if newest.made.taxonomy_digest != change.made.taxonomy_digest:
        raise ConflictError(
            f"{table.name}: since this run was planned, its labels have moved to taxonomy version "
            f"{newest.made.taxonomy_version} with version {newest.number} of the table; theirs "
            "stay. Plan a new run with the bundle that made them"
        )


def user_name() -> str:
    """Return who runs this process, by the system's name or number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # as in a container, whose user has no name
        return f"uid {os.getuid()}"


def _failed(why: str, run: Run) -> GateError:
    return GateError(
        f"{why}; not published, whatever the gates. Look at {run.at(files.REPORT)}, mend what is "
        "wrong, and start a new run"
    )


def _refused_by(gates: list[GateResult], run: Run) -> GateError | None:
    refusing = [gate for gate in gates if gate.refuses]
    reasons = "; ".join(gate.sentence for gate in refusing)
    keys = ",".join(gate.key for gate in refusing)
    return (
        GateError(
            f"{reasons}; not published. To publish it as it is: "
            f"reshelve publish {run.uri} --accept {keys} --reason TEXT"
        )
        if refusing
        else None
    )

"""Publishing a finished run: gates, one commit, the report, the end of the run."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from pyarrow import parquet
from pydantic import ConfigDict

from lib.config import Config, load_run_file
from lib.duck import open_duckdb
from lib.errors import ConflictError, GateError, InputError
from lib.gates import Files, GatesConfig, judge, measure, moved_items
from lib.labels import LABELS_SCHEMA
from lib.labels_table import Change, LabelsTable
from lib.manifest import Manifest, read_manifest
from lib.reading import ReadingConfig
from lib.report.data import GateResult
from lib.report.formats import items as items_of
from lib.runs import Run
from lib.storage import Storage
from lib.storage_config import StorageConfig
from lib.uris import absolute
from pipelines.classify_report import Publication, Shown, write_report
from pipelines.plan_night import NIGHT, REMOVED, NightPlan

PUBLISHING = ("classify", "backfill")
BEFORE = ("item_id", "category_id", "category_path")


class PublishConfig(Config):
    """Where a run is published to, and what it must keep."""

    labels_table: str
    gates: GatesConfig
    reading: ReadingConfig


class StorageSection(Config):
    """Of any run file, how to reach the stores."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    storage: StorageConfig = StorageConfig()


def publish_run(config: PublishConfig, run: Run, say: Callable[[str], None]) -> None:
    """Publish a finished run, write its report, and end it.

    Raises:
        InputError: the run is not finished, or the table cannot be written.
        GateError: a gate failed; the table is as it was.
        ConflictError: another run has published the same items meanwhile.
    """
    manifest = read_manifest(run.uri, run.storage)
    if manifest is None:
        raise InputError(f"{run.uri}: this run is not finished; the command that began it goes on")
    night = NightPlan.model_validate_json(run.storage.read(run.at(NIGHT)))
    table = LabelsTable(config.labels_table, run.storage)
    with tempfile.TemporaryDirectory() as folder:
        files = fetch_files(run, manifest, night, table, Path(folder))
        with open_duckdb() as connection:
            gates = judge(config.gates, measure(connection, files))
            moves = moved_items(connection)
    publication = take_in(run, manifest, night, table, gates)
    shown = Shown(
        manifest=manifest, diff=night.diff, publication=publication, gates=gates, moves=moves
    )
    evaluation = write_report(run, shown, config.reading)
    run.end({"state": publication.state, "sentence": publication.sentence})
    totals = manifest.totals
    say(f"{totals.labelled:,} of {totals.items:,} items labelled, {totals.error_count:,} errors")
    for reason, count in totals.errors.items():
        say(f"  {reason}: {count:,}")
    if evaluation:
        say(
            f"accuracy {evaluation.accuracy:.1%} on {items_of(evaluation.items)} with a known label"
        )
    say(f"report: {run.at('report.html')}")
    if publication.error:
        raise publication.error
    say(publication.sentence)


def publish_later(folder: str, run_file: Path | None, say: Callable[[str], None]) -> None:
    """Publish a run that has finished without.

    Raises:
        InputError: there is no such run, or it has ended before.
        GateError, ConflictError: as `publish_run`.
    """
    run, config = read_run(folder, run_file)
    if outcome := run.outcome:
        raise InputError(f"{run} has ended before: {outcome['sentence']}")
    if run.read_json("run.json")["job"] == "backfill":
        from pipelines.publish_backfill import publish_backfill  # noqa: PLC0415  # it imports this file

        publish_backfill(config, run, say)
    else:
        publish_run(config, run, say)


def roll_back(folder: str, run_file: Path | None, version: int, say: Callable[[str], None]) -> None:
    """Bring an earlier version of the table that a run names back, as a new version.

    Raises:
        InputError: there is no such run or version.
    """
    run, config = read_run(folder, run_file)
    now = LabelsTable(config.labels_table, run.storage).roll_back(version)
    say(f"{config.labels_table} has the rows of version {version} again, as version {now}")


def read_run(folder: str, run_file: Path | None) -> tuple[Run, PublishConfig]:
    """Read the folder of a run that publishes; the credentials are a run file's, or none."""
    storage = Storage(storage_of(run_file))
    uri = absolute(folder)
    run = Run(uri.rsplit("/", 1)[-1], uri, storage)
    record = run.read_json("run.json")
    if record["job"] not in PUBLISHING:
        publishing = " and ".join(PUBLISHING)
        raise InputError(f"{folder}: this run is a {record['job']}; only {publishing} publish")
    keys = ("labels_table", "gates", "reading")
    return run, PublishConfig.model_validate({key: record["run_file"][key] for key in keys})


def storage_of(run_file: Path | None) -> StorageConfig:
    """Read the `storage` of a run file, of whatever job; without a file, the environment's."""
    return StorageConfig() if run_file is None else load_run_file(StorageSection, run_file).storage


def raise_or_say(outcome: dict[str, str], run: Run, say: Callable[[str], None]) -> None:
    """Answer for a run that has ended before as it was answered then."""
    sentence = f"{run} has ended before: {outcome['sentence']}"
    if outcome["state"] == "refused":
        raise GateError(sentence)
    say(sentence)


def take_in(
    run: Run, manifest: Manifest, night: NightPlan, table: LabelsTable, gates: list[GateResult]
) -> Publication:
    """Publish the run, or say why not."""
    if error := refused_by(gates):
        return Publication(table=table.name, error=error)
    change = Change(
        run_id=run.run_id,
        base=night.base_version,
        parts=[run.at(part.path) for part in manifest.parts],
        removed=run.at(REMOVED) if night.diff.removed else None,
    )
    if not change.parts and not change.removed:
        return Publication(table=table.name, version=night.base_version, unchanged=True)
    return commit(change, table)


def refused_by(gates: list[GateResult]) -> GateError | None:
    """Give the error of the gates that failed, or None."""
    failed = [gate for gate in gates if not gate.passed]
    reasons = "; ".join(
        f"{gate.meaning} are {gate.value:.1%}, gates.{gate.key} allows {gate.limit:.1%}"
        for gate in failed
    )
    return GateError(f"{reasons}; not published") if failed else None


def commit(change: Change, table: LabelsTable) -> Publication:
    """Bring a change into the table, unless another run was faster."""
    try:
        return Publication(table=table.name, version=table.publish(change))
    except ConflictError as error:
        return Publication(table=table.name, error=error)


def fetch_files(
    run: Run, manifest: Manifest, night: NightPlan, table: LabelsTable, folder: Path
) -> Files:
    """Bring what the gates compare into a local folder."""
    before, removed = folder / "before.parquet", folder / REMOVED
    table.dump(night.base_version, BEFORE, before)
    run.storage.download(run.at(REMOVED), removed)
    rows = [folder / f"{number}.parquet" for number, _ in enumerate(manifest.parts)]
    for part, target in zip(manifest.parts, rows, strict=True):
        run.storage.download(run.at(part.path), target)
    if not rows:
        rows.append(folder / "none.parquet")
        parquet.write_table(LABELS_SCHEMA.empty_table(), rows[0])
    return Files(rows=rows, before=before, removed=removed)

"""Publishing later, and rolling back: a run's folder names its table."""

from collections.abc import Callable
from pathlib import Path

from lib.errors import InputError
from lib.labels.delta_table import LabelsTable
from lib.runs.run import Run, open_folder
from lib.storage.config import storage_of
from lib.storage.storage import Storage
from pipelines.backfill_publish import BackfillPublisher
from pipelines.classify_publish import NightPublisher
from pipelines.publication import PublishConfig, Publisher, publish_finished
from pipelines.steps import Say

PUBLISHERS: dict[str, Callable[[Run], Publisher]] = {
    "classify": NightPublisher.of,
    "backfill": BackfillPublisher.of,
}


def publish_later(folder: str, run_file: Path | None, say: Say) -> None:
    """Publish a run that has finished without.

    Raises:
        InputError: there is no such run, or it has ended before.
        GateError, ConflictError: as `publish_finished`.
    """
    run, config = read_run(folder, run_file)
    if outcome := run.outcome:
        raise InputError(f"{run} has ended before: {outcome['sentence']}")
    publish_finished(config, run, PUBLISHERS[run.record.job](run), say)


def roll_back(folder: str, run_file: Path | None, version: int, say: Say) -> None:
    """Bring an earlier version of the table that a run names back, as a new version.

    Raises:
        InputError: there is no such run or version.
    """
    run, config = read_run(folder, run_file)
    now = LabelsTable(config.labels_table, run.storage).roll_back(version)
    say(f"{config.labels_table} has the rows of version {version} again, as version {now}")


def read_run(folder: str, run_file: Path | None) -> tuple[Run, PublishConfig]:
    """Read the folder of a run that publishes; the credentials are a run file's, or none."""
    run = open_folder(folder, Storage(storage_of(run_file)))
    record = run.record
    if record.job not in PUBLISHERS:
        publishing = " and ".join(PUBLISHERS)
        raise InputError(f"{folder}: this run is a {record.job}; only {publishing} publish")
    keys = ("labels_table", "gates", "reading")
    return run, PublishConfig.model_validate({key: record.run_file[key] for key in keys})

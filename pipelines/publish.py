"""Publishing later, and rolling back: a run's folder names its table."""

from collections.abc import Callable
from pathlib import Path

from lib.errors import InputError
from lib.labels.delta_table import LabelsTable
from lib.runs.run import Run
from lib.storage.config import storage_of
from lib.storage.storage import Storage
from lib.storage.uris import absolute
from pipelines.classify_publish import publish_run
from pipelines.publication import PublishConfig

PUBLISHING = ("classify", "backfill")


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
        from pipelines.backfill_publish import publish_backfill  # noqa: PLC0415  # it imports this file

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

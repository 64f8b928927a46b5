"""Publishing later, and rolling back: a run's folder names its table."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from lib.errors import InputError
from lib.labels.delta_table import LabelsTable
from lib.labels.gates import Acceptance, GateKey
from lib.runs.ending import Ending
from lib.runs.run import Run, open_folder
from lib.storage.config import storage_of
from lib.storage.storage import Storage
from pipelines.backfill_publish import BackfillPublisher
from pipelines.classify_publish import NightPublisher
from pipelines.publication import PublishConfig, Publisher
from pipelines.publish_finished import publish_finished, user_name
from pipelines.steps import Say

GATES = get_args(GateKey)
PUBLISHERS: dict[str, Callable[[Run], Publisher]] = {
    "classify": NightPublisher.of,
    "backfill": BackfillPublisher.of,
}


def publish_later(
    folder: str,
    run_file: Path | None,
    say: Say,
    accepted: Acceptance | None = None,
    ending: Ending | None = None,
) -> None:
    """Publish a run that has finished without, or that its gates have refused.

    Args:
        folder: of the run.
        run_file: whose credentials are used, or None.
        say: takes each line for the person who waits.
        accepted: gates that a person lets it pass.
        ending: learns which run it is, or None.

    Raises:
        InputError: there is no such run, or it has ended before.
        GateError, ConflictError: as `publish_finished`.
    """
    run, config = read_run(folder, run_file)
    if ending:
        ending.run = run
    outcome = run.outcome
    refused = outcome is not None and outcome["state"] == "refused"
    if outcome and not (refused and accepted):
        raise InputError(f"{run} has ended before: {outcome['sentence']}")
    publish_finished(config, run, PUBLISHERS[run.record.job](run), say, accepted)


def accepting(gates: str | None, reason: str | None) -> Acceptance | None:
    """Read which gates a person lets a run pass, and why; None for none.

    Raises:
        InputError: one is said without the other, or there is no such gate.
    """
    if gates is None and reason is None:
        return None
    if not (gates and gates.strip() and reason and reason.strip()):
        raise InputError("--accept GATE and --reason TEXT go together: which gates, and why")
    keys = tuple(each.strip() for each in gates.split(","))
    if unknown := [each for each in keys if each not in GATES]:
        raise InputError(f"--accept: there is no gate '{unknown[0]}'; there are {', '.join(GATES)}")
    return Acceptance(gates=keys, reason=reason.strip(), by=user_name())


def roll_back(
    folder: str, run_file: Path | None, version: int, say: Say, ending: Ending | None = None
) -> None:
    """Bring an earlier version of the table that a run names back, as a new version.

    Args:
        folder: of the run.
        run_file: whose credentials are used, or None.
        version: the earlier one.
        say: takes each line for the person who waits.
        ending: learns which run it is and what became of the table, or None.

    Raises:
        InputError: there is no such run or version.
    """
    run, config = read_run(folder, run_file)
    if ending:
        ending.run = run
    now = LabelsTable(config.labels_table, run.storage).roll_back(version, user_name())
    sentence = f"{config.labels_table} has the rows of version {version} again, as version {now}"
    say(sentence)
    if ending:
        ending.tell("rolled back", sentence, labels_table=config.labels_table, version=now)


def read_run(folder: str, run_file: Path | None) -> tuple[Run, PublishConfig]:
    """Read the folder of a run that publishes; the credentials are a run file's, or none."""
    run = open_folder(folder, Storage(storage_of(run_file)))
    record = run.record
    if record.job not in PUBLISHERS:
        publishing = " and ".join(PUBLISHERS)
        raise InputError(f"{folder}: this run is a {record.job}; only {publishing} publish")
    keys = ("labels_table", "gates", "reading")
    chosen = {key: record.run_file[key] for key in keys}
    chosen["annotations"] = record.run_file.get("annotations")  # earlier versions had none
    return run, PublishConfig.model_validate(chosen)

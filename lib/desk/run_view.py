"""A run of the desk's folder, found by its id alone, and how it passed its gates."""

from pydantic import TypeAdapter, ValidationError

from lib.errors import InputError
from lib.labels.gates import GateResult, GatesConfig, Measured, judge
from lib.runs import files
from lib.runs.run import Run, RunId
from lib.storage.storage import Storage
from lib.storage.uris import absolute, join

PUBLISHING = ("classify", "backfill")  # jobs whose runs can be published


def run_below(runs: str, run_id: str, storage: Storage) -> Run:
    """Return a run of a folder of runs.

    Args:
        runs: the folder.
        run_id: as a browser says it, which may be anything.
        storage: how to reach it.

    Raises:
        InputError: there is no such run.
    """
    try:
        run_id = TypeAdapter(RunId).validate_python(run_id)
    except ValidationError:
        raise InputError("there is no such run") from None
    run = Run(run_id, join(absolute(runs), run_id), storage)
    if not run.exists(files.RECORD):
        raise InputError("there is no such run")
    return run


def is_of_table(run: Run, labels_table: str) -> bool:
    """Say whether a run publishes to a table."""
    target = run.record.run_file.get("labels_table")
    return bool(target) and absolute(str(target)) == absolute(labels_table)


def gates_of(run: Run) -> list[GateResult]:
    """Return how a run passed its gates; nothing where they were not judged."""
    outcome = run.outcome or {}
    if "measured" not in outcome:
        return []
    try:
        gates = GatesConfig.model_validate(run.record.run_file.get("gates") or {})
        return judge(gates, Measured.model_validate(outcome["measured"]))
    except ValidationError:  # of another version of Reshelve
        return []

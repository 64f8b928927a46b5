"""Beginning a run, or finding the unfinished one that a command resumes."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime

from lib.errors import InputError
from lib.runs import files
from lib.runs.run import Fingerprint, Intent, Run, RunRecord
from lib.storage.storage import Storage
from lib.storage.uris import absolute, join


def find_run(output: str, run_id: str | None, intent: Intent, storage: Storage) -> Run | None:
    """Find the run to resume: the one with this id, or the latest unfinished one that fits.

    Args:
        output: the folder of run folders.
        run_id: a given id, or None.
        intent: what the run is to do.
        storage: how to reach `output`.

    Raises:
        InputError: the run `run_id` exists with another fingerprint; names the parts that differ.
    """
    if run_id is None:
        return _find_unfinished(absolute(output), intent, storage)
    run = Run(run_id, join(absolute(output), run_id), storage, resumed=True)
    if not run.exists(files.RECORD):
        return None
    _refuse_other(run, intent.fingerprint)
    return run


def begin_run(output: str, run_id: str | None, intent: Intent, storage: Storage) -> Run:
    """Begin a run, with a new id where none is given.

    Raises:
        InputError: another process has just begun the run `run_id` with another fingerprint.
    """
    if run_id is None:
        now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        run_id = f"{intent.job}-{now}-{secrets.token_hex(2)}"
    run = Run(run_id, join(absolute(output), run_id), storage)
    record = RunRecord(
        run_id=run_id,
        job=intent.job,
        created_at=datetime.now(UTC).replace(microsecond=0),
        # no two processes write the same: to `create`, equal bytes are its own
        begun_by=secrets.token_hex(8),
        fingerprint=dict(intent.fingerprint),
        run_file=dict(intent.run_file),
    )
    if run.create(files.RECORD, record.model_dump_json(indent=2).encode()):
        return run
    # another process was faster
    _refuse_other(run, intent.fingerprint)
    return replace(run, resumed=True)


def open_run(output: str, run_id: str | None, intent: Intent, storage: Storage) -> Run:
    """Resume the run that fits, or begin one; raises as the two do."""
    found = find_run(output, run_id, intent, storage)
    return found or begin_run(output, run_id, intent, storage)


def _find_unfinished(output: str, intent: Intent, storage: Storage) -> Run | None:
    # ids that this function may resume sort by their time of creation
    for name in sorted(storage.names(output), reverse=True):
        if not name.startswith(f"{intent.job}-"):
            continue
        run = Run(name, join(output, name), storage, resumed=True)
        if run.outcome is not None or not run.exists(files.RECORD):
            continue
        record = run.record
        if intent.fresh_for is not None and record.age > intent.fresh_for:
            continue
        if record.fingerprint == intent.fingerprint:
            return run
    return None


def _refuse_other(run: Run, fingerprint: Fingerprint) -> None:
    before = run.record.fingerprint
    parts = [
        part for part in {**before, **fingerprint} if before.get(part) != fingerprint.get(part)
    ]
    if parts:
        differing = "; ".join(
            f"{part} was {_short(before.get(part))}, is now {_short(fingerprint.get(part))}"
            for part in parts
        )
        raise InputError(
            f"{run.uri}: this run was begun with other inputs ({differing}); give another run_id, "
            "or leave it out to begin a new run"
        )


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "absent"

"""Run folders: one execution each, bound to its fingerprint, and resumed until it has ended."""

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pyarrow as pa
from pyarrow import parquet
from pydantic import AfterValidator

from lib.batches import to_parquet
from lib.config.config import Config, ConfigT, load_json
from lib.errors import InputError
from lib.runs import files
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.storage.uris import absolute, join

Fingerprint = Mapping[str, str]
FILE = "this file of a run"


def _plain(run_id: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", run_id):
        raise ValueError(
            "should have at most 100 letters, digits, '.', '_' and '-', and begin with a letter "
            "or a digit"
        )
    return run_id


RunId = Annotated[str, AfterValidator(_plain)]


@dataclass(frozen=True, kw_only=True)
class Intent:
    """What a run is to do: the job, what its rows depend on, and its run file without secrets."""

    job: str
    fingerprint: Fingerprint
    run_file: Mapping[str, Any]
    fresh_for: timedelta | None = None  # how long an unfinished run is resumed; None: for good


class RunFile(Config):
    """What every run file has: where runs lie, the run's id if it is given, and the stores."""

    output: str = "runs"
    run_id: RunId | None = None
    storage: StorageConfig = StorageConfig()


class RunRecord(Config):
    """`run.json`: what the run was begun as."""

    run_id: str
    job: str
    created_at: datetime
    begun_by: str
    fingerprint: dict[str, str]
    run_file: dict[str, Any]

    @property
    def age(self) -> timedelta:
        """Time since the run was begun."""
        return datetime.now(UTC) - self.created_at


@dataclass(frozen=True)
class Run:
    """A run folder."""

    run_id: str
    uri: str
    storage: Storage
    resumed: bool = False

    def __str__(self) -> str:
        """Name the run for the person who waits, and say whether it goes on."""
        return f"run {self.run_id}" + (" (resumed)" if self.resumed else "")

    @property
    def unique_name(self) -> str:
        """A name that no run of another folder has, though its id may be the same."""
        return f"{self.run_id}-{self.record.begun_by}"

    @property
    def record(self) -> RunRecord:
        """What the run was begun as.

        Raises:
            InputError: there is no such run.
        """
        try:
            data = self.read(files.RECORD)
        except InputError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise InputError(f"{self.uri}: there is no run here; give a run's folder") from None
            raise
        return load_json(RunRecord, data, self.at(files.RECORD), FILE)

    def at(self, name: str) -> str:
        """URI of something in the folder."""
        return join(self.uri, name)

    def within(self, name: str) -> "Run":
        """Return a folder in this one as a run folder of its own."""
        return replace(self, uri=self.at(name))

    def exists(self, name: str) -> bool:
        """Say whether a file is there."""
        return self.storage.exists(self.at(name))

    def names(self, folder: str) -> set[str]:
        """Names of what lies in a folder of the run."""
        return self.storage.names(self.at(folder))

    def read(self, name: str) -> bytes:
        """Read a file."""
        return self.storage.read(self.at(name))

    def write(self, name: str, data: bytes) -> None:
        """Write a file, in one atomic step."""
        self.storage.write(self.at(name), data)

    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless it is there, as `Storage.create`."""
        return self.storage.create(self.at(name), data)

    def find(self, name: str, model: type[ConfigT]) -> ConfigT | None:
        """Read a file that a model describes, or None where it is not there."""
        if not self.exists(name):
            return None
        return load_json(model, self.read(name), self.at(name), FILE)

    def write_json(self, name: str, value: Any) -> None:  # noqa: ANN401  # whatever JSON holds
        """Write a JSON file."""
        self.write(name, _json(value))

    def read_json(self, name: str) -> Any:  # noqa: ANN401  # whatever JSON holds
        """Read a JSON file."""
        try:
            return json.loads(self.read(name))
        except ValueError:
            raise InputError(f"{self.at(name)}: {FILE} is damaged: it is not whole JSON") from None

    def write_table(self, name: str, table: pa.Table) -> None:
        """Write a Parquet file."""
        self.write(name, to_parquet(table))

    def read_table(self, name: str) -> pa.Table:
        """Read a Parquet file."""
        return parquet.read_table(io.BytesIO(self.read(name)))

    @property
    def outcome(self) -> dict[str, Any] | None:
        """How the run ended, or None while it has not."""
        if not self.exists(files.OUTCOME):
            return None
        found: dict[str, Any] = self.read_json(files.OUTCOME)
        return found

    def end(self, outcome: Mapping[str, Any], *, again: bool = False) -> None:
        """Say how the run ended; it is not resumed.

        Args:
            outcome: its state, and a sentence.
            again: it may have ended otherwise before.
        """
        if again:
            self.write_json(files.OUTCOME, outcome)
        else:
            self.create(files.OUTCOME, _json(outcome))


def open_folder(folder: str, storage: Storage) -> Run:
    """Return the run whose folder this is; its id is the folder's name."""
    uri = absolute(folder)
    return Run(uri.rsplit("/", 1)[-1], uri, storage)


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode()

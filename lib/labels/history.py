"""The history of a labels table: what each version is, which run made it, and by which bundle."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lib.config.config import Config


class Made(Config):
    """What a run says of itself beside its commit, as Delta keeps it: text, or nothing."""

    run: str = ""  # its folder
    run_id: str = ""
    job: str = ""
    bundle: str = ""  # where it lies
    bundle_digest: str = ""
    taxonomy_version: str = ""
    taxonomy_digest: str = ""
    by: str = ""  # the system's user name
    did: str = ""  # what became of how many items
    gates: str = ""  # what was accepted in spite of them, and why


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a table.

    Attributes:
        number: the version.
        at: when it was committed.
        operation: Delta's word for what was done.
        made: what its run says of itself; empty where no run of Reshelve made it.
        restored: the version that it brought back, or None.
    """

    number: int
    at: datetime
    operation: str
    made: Made
    restored: int | None = None

    @property
    def lines(self) -> list[str]:
        """What a person is told of it."""
        made = self.made
        who = f" by {made.by}" if made.by else ""
        run = f", run {made.run_id or made.run}" if made.run else ""
        what = made.did or self.operation.lower()
        if self.restored is not None:
            what = f"rolled back to version {self.restored}"
        lines = [f"version {self.number}, {self.at.isoformat(timespec='seconds')}{who}{run}"]
        lines.append(f"  {what}" + (f"; bundle {made.bundle}" if made.bundle else ""))
        return [*lines, f"  {made.gates}"] if made.gates else lines

    def to_json(self) -> dict[str, Any]:
        """The same for a program."""
        return {
            "version": self.number,
            "at": self.at.isoformat(),
            "operation": self.operation,
            "restored": self.restored,
            **self.made.model_dump(),
        }


def versions_of(commits: Iterable[Mapping[str, Any]]) -> list[Version]:
    """Read commits as `DeltaTable.history` gives them."""
    found = []
    for commit in commits:
        operation = str(commit.get("operation", ""))
        parameters = commit.get("operationParameters") or {}
        said = {name: str(commit[name]) for name in Made.model_fields if commit.get(name)}
        found.append(
            Version(
                number=int(commit["version"]),
                at=datetime.fromtimestamp(commit["timestamp"] / 1000, UTC),
                operation=operation,
                made=Made(**said),
                restored=int(parameters["version"]) if operation == "RESTORE" else None,
            )
        )
    return found


def standing(versions: Iterable[Version]) -> list[Version]:
    """Leave out what was rolled back, and the rollbacks.

    Args:
        versions: the newest first, as `versions_of` gives them.
    """
    found, below = [], None
    for version in versions:
        if below is not None and version.number > below:
            continue
        if version.restored is not None:
            below = version.restored
        else:
            found.append(version)
    return found


def newest_made(versions: Iterable[Version]) -> Version | None:
    """Return the newest of the standing versions that says which bundle made it, or None."""
    return next((each for each in standing(versions) if each.made.bundle_digest), None)

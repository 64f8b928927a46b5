"""What every publishing job shares: where to, the commit, and what became of the run."""

from collections.abc import Callable
from dataclasses import dataclass

from lib.config.config import Config
from lib.errors import ConflictError, GateError
from lib.images.config import ReadingConfig
from lib.labels.delta_table import Change, LabelsTable
from lib.labels.gates import GateResult, GatesConfig
from lib.runs.run import Run

BEFORE = ("item_id", "category_id", "category_path")


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What became of a run: the table's version, or why the table is as it was."""

    table: str
    version: int | None = None
    unchanged: bool = False
    error: GateError | ConflictError | None = None

    @property
    def state(self) -> str:
        """One word for `outcome.json`."""
        if self.error:
            return "refused" if isinstance(self.error, GateError) else "conflict"
        return "unchanged" if self.unchanged else "published"

    @property
    def sentence(self) -> str:
        """The same for a person."""
        if self.error:
            return str(self.error)
        if self.unchanged:
            return f"nothing has changed; {self.table} stays at version {self.version}"
        return f"published as version {self.version} of {self.table}"


class PublishConfig(Config):
    """Where a run is published to, and what it must keep."""

    labels_table: str
    gates: GatesConfig
    reading: ReadingConfig


def raise_or_say(outcome: dict[str, str], run: Run, say: Callable[[str], None]) -> None:
    """Answer for a run that has ended before as it was answered then."""
    sentence = f"{run} has ended before: {outcome['sentence']}"
    if outcome["state"] == "refused":
        raise GateError(sentence)
    say(sentence)


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

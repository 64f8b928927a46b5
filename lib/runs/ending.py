"""How a job has ended, as one object: the last line of `--json`, and what a webhook is told."""

from dataclasses import dataclass, field
from typing import Any

from lib.errors import ConflictError, GateError, ReshelveError, exit_code_of, sentence_of
from lib.runs import files
from lib.runs.manifest import read_manifest
from lib.runs.run import Run
from lib.runs.state import state_of

UNDER_WAY = ("running", "dead")  # what a run's folder still says of one that has just failed


@dataclass
class Ending:
    """What is told of a job when it ends.

    Attributes:
        job: what it is called on the command line.
        run: its run, once there is one.
        figures: what its run's folder does not say.
    """

    job: str
    run: Run | None = None
    figures: dict[str, Any] = field(default_factory=dict)

    def tell(self, state: str, sentence: str, **figures: Any) -> None:  # noqa: ANN401  # whatever JSON holds
        """Say how a job has ended whose run's folder does not say it."""
        self.figures = {"state": state, "sentence": sentence, **figures}

    def to_json(self, error: BaseException | None = None) -> dict[str, Any]:
        """Return the object of a job that has ended well, or with an error."""
        said = None if error is None else sentence_of(error)
        head = {"job": self.job, "exit_code": exit_code_of(error), "error": said}
        # its run may be another job's, as where it publishes
        return head | _told_of(self.run, error) | self.figures | {"job": self.job}


def summary_of(run: Run) -> dict[str, Any]:
    """Return what a run's folder says: its state, its figures, and where its report is.

    Raises:
        InputError: the run's store does not answer.
    """
    told = {"run": run.uri, "report": None} | state_of(run).to_json()
    if manifest := read_manifest(run):
        totals = manifest.totals
        told |= {"labelled": totals.labelled, "errors": totals.error_count}
        told |= {"decisions": dict(totals.decisions), "bundle": manifest.bundle}
    told |= run.outcome or {}
    if run.exists(files.REPORT):
        told["report"] = run.at(files.REPORT)
    return told


def _told_of(run: Run | None, error: BaseException | None) -> dict[str, Any]:
    told: dict[str, Any] = {"run_id": None, "run": None, "report": None}
    if run:
        told |= {"run_id": run.run_id, "run": run.uri}
        try:
            told |= summary_of(run)
        except (OSError, ReshelveError, ValueError):
            if error is None:
                raise
            # what has ended the job may keep its folder from being read as well
    if error is not None and told.get("state", UNDER_WAY[0]) in UNDER_WAY:
        told |= {"state": _state_after(error), "sentence": sentence_of(error)}
    return told


def _state_after(error: BaseException) -> str:
    """Return how a job stands whose run's folder does not say it."""
    if isinstance(error, GateError):
        return "refused"
    return "conflict" if isinstance(error, ConflictError) else "failed"

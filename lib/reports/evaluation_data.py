"""What the report of an evaluation shows, as plain data."""

from dataclasses import dataclass

from lib.evaluation.findings import Findings
from lib.evaluation.results import Evaluation
from lib.reports.data import Thumbnail


@dataclass(frozen=True, kw_only=True)
class EvaluationReport:
    """An evaluation, with photos of what it got most confidently wrong and of what has changed."""

    run_id: str
    started_at: str
    finished_at: str
    bundle_digest: str | None  # None for a labels table
    findings: Findings
    evaluation: Evaluation
    mistakes: list[Thumbnail]
    better: list[Thumbnail]  # right here, wrong by the bundle that it is compared with
    worse: list[Thumbnail]

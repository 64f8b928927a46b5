from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from lib.evaluation.assessment import assess
from lib.evaluation.findings import Findings
from lib.evaluation.intervals import Estimate
from lib.evaluation.paired import compare
from lib.evaluation.predictions import PREDICTIONS_SCHEMA
from lib.evaluation.results import Evaluation
from lib.evaluation.slices import slice_by
from lib.reasons import ErrorItem
from lib.reports.estimates import between
from lib.reports.evaluation_data import EvaluationReport
from lib.reports.evaluation_verdict import evaluation_verdict
from lib.reports.render import render_evaluation
from tests.helpers.catalogs import TAXONOMY
from tests.helpers.report_examples import THUMBNAIL
from tests.helpers.report_reading import Page

LOST = ErrorItem(item_id="x", uri="x.jpg", code="gone", detail="x.jpg is <gone>")


def findings(right: int, wrong: int, decision: str = "accept") -> Findings:
    """An evaluation of shirts, some of which are taken for skirts; 95 % right was promised."""
    rows = [
        {
            "item_id": str(n),
            "uri": f"{n}.jpg",
            "category_id": "shirt",
            "predicted": said,
            "confidence": 0.9,
            "label": said,
            "decision": decision,
        }
        for n, said in enumerate(["shirt"] * right + ["skirt"] * wrong)
    ]
    predictions = pa.Table.from_pylist(rows, schema=PREDICTIONS_SCHEMA)
    return Findings(
        subject="s3://shop/bundles/one",
        version=None,
        taxonomy_version="7",
        catalog="s3://shop/test.csv",
        folds=None,
        assessment=assess(predictions, TAXONOMY, "here"),
        left_out=[],
        target_precision=0.95,
        slices=[],
    )


def changed(found: Findings, **values: object) -> Findings:
    return found.model_copy(update=values)


def compared(found: Findings, *, only_first: int, only_second: int) -> Findings:
    first = np.arange(100) >= only_second
    second = np.arange(100) < 100 - only_first
    values = {"against": "other", "against_assessment": found.assessment}
    return changed(found, **values, compared=compare(first, second))


def report_of(found: Findings) -> EvaluationReport:
    return EvaluationReport(
        run_id="eval-1",
        started_at="2026-11-23T02:15:00+00:00",
        finished_at="2026-11-23T02:17:05+00:00",
        bundle_digest="sha256:0123",
        findings=found,
        evaluation=Evaluation(items=0, accuracy=0.0, categories=[], confusion=[]),
        mistakes=[
            replace(THUMBNAIL, category="Skirts", other="in truth Shirts", other_confidence=None)
        ],
        better=[],
        worse=[],
    )


def page_of(found: Findings) -> Page:
    return Page(render_evaluation(report_of(found)))


@pytest.mark.parametrize(
    ("found", "tone", "word"),
    [
        (findings(97, 3), "good", "Evaluated"),
        (findings(94, 6), "good", "Evaluated"),  # 94 of 100 may well be 95 %
        (findings(80, 20), "warn", "Promise not kept"),
        (changed(findings(80, 20), target_precision=None), "good", "Evaluated"),
        (changed(findings(51, 49), target_precision=None), "warn", "Often wrong"),
        (changed(findings(97, 3), left_out=[LOST] * 20), "warn", "Many items left out"),
        (compared(findings(97, 3), only_first=20, only_second=3), "good", "Better"),
        (compared(findings(97, 3), only_first=3, only_second=20), "warn", "Worse"),
        (compared(findings(97, 3), only_first=5, only_second=3), "good", "Evaluated"),
    ],
)
def test_the_verdict_is_amber_only_where_a_figure_says_so(
    found: Findings, tone: str, word: str
) -> None:
    verdict = evaluation_verdict(found)

    assert (verdict.tone, verdict.word) == (tone, word)


def test_the_verdict_says_what_the_promise_rests_on() -> None:
    verdict = evaluation_verdict(findings(12, 0))

    assert "12 of 12 rightly: 100\u00a0% (73.5 to 100.0\u00a0%)" in verdict.detail


def test_an_evaluation_that_accepts_nothing_says_so() -> None:
    assert "No item is accepted" in evaluation_verdict(findings(9, 1, "review")).detail


def test_the_page_is_whole_and_shows_every_part_that_there_is() -> None:
    found = compared(findings(90, 10), only_first=9, only_second=1)
    right = np.arange(100) < 90
    values = ["old" if n >= 80 else "new" for n in range(100)]
    found = changed(found, slices=slice_by({"stock": values}, right), left_out=[LOST])

    page = page_of(found)

    assert page.unbalanced == []
    linked = {link[1:] for link in page.values("href") if link.startswith("#")}
    assert linked <= {*page.values("id")}
    assert {"comparison", "decisions", "slices", "mistakes"} <= linked
    assert [row["class"] for row in page.tags("tr") if "class" in row] == ["worse"]
    assert "Skirts confidence 91.0 % in truth Shirts" in page.text
    assert "x.jpg is <gone>" in page.text


def test_the_page_leaves_out_what_there_is_nothing_of() -> None:
    bare = findings(5, 0)
    bare = changed(bare, assessment=bare.assessment.model_copy(
        update={"decisions": [], "calibration": None}))  # fmt: skip

    page = page_of(bare)

    assert page.unbalanced == []
    assert not {"comparison", "decisions", "slices"} & {*page.values("id")}


def test_an_interval_stays_between_nothing_and_all() -> None:
    assert between(Estimate(value=0.01, low=-0.004, high=0.02)) == "0.0 to 2.0\u00a0%"

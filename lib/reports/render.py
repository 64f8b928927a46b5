"""The run report: one HTML file that needs nothing but itself."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lib.printable import printable
from lib.reports import charts, formats
from lib.reports.advice import shares_of
from lib.reports.changes import changes_sentence
from lib.reports.check_data import CheckReport
from lib.reports.check_verdict import check_verdict
from lib.reports.data import CategoryCount, ClassificationReport, PublishedReport
from lib.reports.discovery_data import DiscoveryReport, discovery_verdict
from lib.reports.estimates import between, counted
from lib.reports.evaluation_data import EvaluationReport
from lib.reports.evaluation_verdict import evaluation_verdict
from lib.reports.facts import evaluation_facts, training_facts
from lib.reports.growth_chart import growth_chart
from lib.reports.match_data import MatchReport, match_facts, match_verdict
from lib.reports.migration_data import MigrationReport
from lib.reports.sankey import flow_picture
from lib.reports.scores import ROWS_LIMIT, scores
from lib.reports.search_data import SearchReport
from lib.reports.tag_data import TagReport
from lib.reports.training_data import TrainingReport
from lib.reports.training_verdict import training_verdict
from lib.reports.trends import trends
from lib.reports.verdicts import classification_verdict, migration_verdict
from lib.runs.progress import duration

_SHARED = ("style", "parts", "base")  # by all pages
_ERRORS_LIMIT = 200
_SHEETS_LIMIT = 40
_FLOWS_LIMIT = 100
_SLICES_LIMIT = 100
_WAITING_LIMIT = 12


def render_classification(report: ClassificationReport) -> str:
    """Lay out a classification run as a page."""
    largest = sorted(report.categories, key=lambda each: (-each.items, each.path))
    total = sum(report.confidence_counts)
    stages = sorted(report.stages.items(), key=lambda stage: -stage[1])
    return _render(
        "classification.html.j2",
        report=report,
        verdict=classification_verdict(report),
        changes=changes_sentence(report.diff),
        trends=trends(report.nights),
        waiting=_waiting(report),
        error_floor=_error_floor(report),
        stages=stages,
        stage_seconds=sum(report.stages.values()),
        histogram=charts.confidence_histogram(report.confidence_counts, report.threshold)
        if total
        else None,
        categories=largest[:ROWS_LIMIT],
        sheets=sorted(report.sheets, key=lambda sheet: -sheet.items)[:_SHEETS_LIMIT],
        error_reasons=sorted(report.error_reasons, key=lambda reason: -reason.items),
        error_items=report.error_items[:_ERRORS_LIMIT],
        scores=scores(report.evaluation) if report.evaluation else None,
    )


def load_page(page: str) -> None:
    """Load what a page needs, by its template's name: the charts' library, and the templates."""
    charts.load()
    for name in (*_SHARED, page):
        _environment().get_template(f"{name}.html.j2")


def render_training(report: TrainingReport) -> str:
    """Lay out a training run, with its evaluation, as a page."""
    evaluation = report.evaluation
    shares = [
        (score, *both)
        for score, both in zip(evaluation.categories, shares_of(evaluation), strict=True)
    ]
    largest = sorted(shares, key=lambda each: (-each[0].support, each[0].path))
    return _render(
        "training.html.j2",
        report=report,
        verdict=training_verdict(report),
        accepted=round(report.coverage * report.accuracy.whole) if report.accuracy.whole else 0,
        facts=training_facts(report),
        loss=charts.loss_curves(report.epochs) if report.epochs else None,
        accuracy=charts.accuracy_curve(report.epochs) if report.epochs else None,
        reliability=charts.reliability_diagram(report.reliability)
        if any(each.items for each in report.reliability)
        else None,
        growth=growth_chart(report.growth) if report.growth else None,
        advice=report.advice[:ROWS_LIMIT],
        categories=largest[:ROWS_LIMIT],
        unusable=report.unusable[:_ERRORS_LIMIT],
        scores=scores(evaluation),
    )


def render_migration(report: MigrationReport) -> str:
    """Lay out a backfill as a page."""
    return _render(
        "migration.html.j2",
        report=report,
        verdict=migration_verdict(report),
        waiting=_waiting(report),
        error_floor=_error_floor(report),
        flow=flow_picture(report.flows) if report.flows else None,
        flows=[each for each in report.flows if each.kind != "unchanged"][:_FLOWS_LIMIT],
        flows_limit=_FLOWS_LIMIT,
        histogram=charts.confidence_histogram(report.confidence_counts, report.threshold)
        if sum(report.confidence_counts)
        else None,
        categories=report.categories[:ROWS_LIMIT],
        scores=scores(report.evaluation) if report.evaluation else None,
    )


def render_evaluation(report: EvaluationReport) -> str:
    """Lay out an evaluation as a page."""
    findings = report.findings
    calibration = findings.assessment.calibration
    largest = sorted(
        findings.assessment.categories, key=lambda each: (-each.recall.whole, each.path)
    )
    return _render(
        "evaluation.html.j2",
        report=report,
        found=findings,
        verdict=evaluation_verdict(findings),
        facts=evaluation_facts(findings),
        categories=largest[:ROWS_LIMIT],
        scores=scores(report.evaluation),
        # those that are worse come first, where there are too many to show all
        slices=sorted(findings.slices, key=lambda each: not each.worse)[:_SLICES_LIMIT],
        left_out=findings.left_out[:_ERRORS_LIMIT],
        reliability=charts.reliability_diagram(calibration.bins) if calibration else None,
    )


def render_search(report: SearchReport) -> str:
    """Lay out what a search has found as a page."""
    return _render("search.html.j2", report=report, verdict=report.verdict)


def render_check(report: CheckReport) -> str:
    """Lay out a check of labelled items as a page."""
    return _render("check.html.j2", report=report, verdict=check_verdict(report))


def render_match(report: MatchReport) -> str:
    """Lay out a match as a page."""
    return _render(
        "match.html.j2", report=report, verdict=match_verdict(report), facts=match_facts(report)
    )


def render_discovery(report: DiscoveryReport) -> str:
    """Lay out groups that were found as a page."""
    return _render("discovery.html.j2", report=report, verdict=discovery_verdict(report))


def render_tags(report: TagReport) -> str:
    """Lay out a tagging as a page."""
    return _render("tags.html.j2", report=report, verdict=report.verdict)


def _waiting(report: PublishedReport) -> list[CategoryCount]:
    """Return the categories of which most items wait for a person."""
    some = [each for each in report.categories if each.review]
    return sorted(some, key=lambda each: (-each.review, each.path))[:_WAITING_LIMIT]


def _error_floor(report: PublishedReport) -> int | None:
    """Return of how many items the gate on errors counts, where that is more than there were."""
    (share,) = [each.value for each in report.gates if each.key == "max_error_rate"] or [0.0]
    counted = round(report.errors / share) if share else 0
    return counted if counted > report.items else None


def _render(template: str, **values: Any) -> str:  # noqa: ANN401 - a template takes anything
    return printable(_environment().get_template(template).render(values))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("lib.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "between": between,
        "count": formats.count,
        "counted": counted,
        "items": formats.items,
        "sentence": formats.sentence,
        "decimal": formats.decimal,
        "threshold": formats.threshold,
        "rate": formats.rate,
        "percent": formats.percent,
        "share": formats.share,
        "duration": lambda seconds: duration(seconds).replace(" ", "\u00a0"),
        "size": formats.size,
        "moment": formats.moment,
        "picture": formats.picture,
        "unit": formats.unit,
    }
    return environment

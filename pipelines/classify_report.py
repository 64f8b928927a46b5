"""The report of a classification: read the parts back, pick samples, fetch their pictures."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from lib.catalog.left_out import left_out_sentence
from lib.evaluation.metrics import evaluate
from lib.evaluation.results import Evaluation
from lib.images.config import ReadingConfig
from lib.labels.delta_table import LabelsTable
from lib.models.bundle import Bundle, read_bundle
from lib.reasons import MEANINGS, ErrorItem, Reason
from lib.reports.classification_rows import SHEETS, Collected, Row
from lib.reports.data import ClassificationReport, ContactSheet, ErrorReason, Moved
from lib.reports.render import render_classification
from lib.reports.verdicts import classification_verdict
from lib.runs import files
from lib.runs.cost import PricesConfig
from pipelines.classify_nights import night_figures, nights_before
from pipelines.classify_plan import NightPlan
from pipelines.publication import Judged, heading
from pipelines.report_pictures import pick, rows_of, show

ROWS_AT_ONCE = 65_536


def write_report(
    judged: Judged, night: NightPlan, reading: ReadingConfig
) -> tuple[str, Evaluation | None]:
    """Write the report into the run's folder.

    Returns:
        Its headline, and the evaluation, where labels are known.
    """
    finished = judged.finished
    run, manifest = finished.run, finished.manifest
    totals = manifest.totals
    bundle = read_bundle(manifest.bundle, run.storage)
    plan = finished.folder / files.PLAN
    run.storage.download(run.at(files.PLAN), plan)
    collected = collect(finished.rows, plan, bundle)
    was = {row["item_id"]: row["was_path"] for row in judged.moves}
    moves = rows_of(list(was), finished.rows)
    unfamiliar = rows_of(judged.drift.unfamiliar if judged.drift else (), finished.rows)
    largest = collected.categories[:SHEETS]
    sheets = {each.category_id: collected.sheet(each.category_id) for each in largest}
    rows = [*collected.least_sure, *moves, *unfamiliar, *itertools.chain(*sheets.values())]
    names = names_of(rows, plan)
    pictures = show(rows, names, bundle.taxonomy, run.storage.config, reading)
    evaluation = None
    if collected.truth:
        evaluation = evaluate(collected.truth, collected.predicted, bundle.taxonomy)
    prices = PricesConfig.model_validate(run.record.run_file.get("prices", {}))
    measured = judged.measured.model_dump(exclude_none=True)
    report = ClassificationReport(
        **heading(judged, bundle),
        catalog=manifest.catalog,
        taxonomy_version=manifest.taxonomy_version,
        bytes_fetched=totals.bytes_fetched,
        retries=totals.retries,
        wall_s=manifest.seconds,
        images_per_s=manifest.images_per_s,
        stages={"fetch": totals.fetch_s, "decode": totals.decode_s, "forward": totals.forward_s},
        confidence_counts=collected.histogram.tolist(),
        categories=collected.categories,
        error_reasons=[
            ErrorReason(code=code, meaning=MEANINGS[Reason(code)], items=count)
            for code, count in totals.errors.items()
        ],
        error_items=with_labels_before(collected.errors, finished.before),
        sheets=[
            ContactSheet(
                category=each.path,
                items=each.accepted + each.parent + each.review,
                thumbnails=pick(sheets[each.category_id], pictures),
            )
            for each in largest
        ],
        least_sure=pick(collected.least_sure, pictures),
        evaluation=evaluation,
        diff=night.diff.model_dump(),
        left_out=left_out_sentence(night.left_out),
        moves=pick(moves, pictures, was),
        moved=[
            Moved(was=each["was_path"], becomes=each["category_path"], items=each["items"])
            for each in judged.moved
        ],
        nights=[
            *nights_before(run, LabelsTable(judged.publication.table, run.storage)),
            night_figures(totals, measured),
        ],
        cost=prices.sentence(manifest.node_hours, manifest.totals.items),
        drift=judged.drift,
        unfamiliar=pick(unfamiliar, pictures),
    )
    run.write(files.REPORT, render_classification(report).encode())
    return classification_verdict(report).headline, evaluation


def collect(rows: Sequence[Path], plan: Path, bundle: Bundle) -> Collected:
    """Read the run's labels, some rows at a time, and keep what the report shows."""
    leaves = list(bundle.taxonomy.leaves)
    known = parquet.read_table(
        plan, columns=["item_id", "category_id"], filters=[("category_id", "in", leaves)]
    )
    collected = Collected()
    seeds = itertools.count()
    for part in rows:
        # a whole part, unpacked, is a gigabyte
        for batch in parquet.ParquetFile(part).iter_batches(ROWS_AT_ONCE):
            collected.add(pa.Table.from_batches([batch]), known, seed=next(seeds))
    return collected


def with_labels_before(errors: Sequence[ErrorItem], before: Path) -> list[ErrorItem]:
    """Add to items with an error what they were labelled in the table before the run."""
    if not errors:
        return []
    wanted = [("item_id", "in", [each.item_id for each in errors])]
    found = parquet.read_table(before, columns=["item_id", "category_path"], filters=wanted)
    was = dict(zip(found["item_id"].to_pylist(), found["category_path"].to_pylist(), strict=True))
    return [replace(each, was=was.get(each.item_id)) for each in errors]


def names_of(rows: Sequence[Row], plan: Path) -> dict[str, str | None]:
    """Read the names of some items, by id, from the run's plan."""
    if not rows:
        return {}
    wanted = [("item_id", "in", [row["item_id"] for row in rows])]
    found = parquet.read_table(plan, columns=["item_id", "name"], filters=wanted)
    return dict(zip(found["item_id"].to_pylist(), found["name"].to_pylist(), strict=True))

"""The report of a classification: read the parts back, pick samples, fetch their pictures."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from lib.catalog.diff import Diff
from lib.evaluation.metrics import evaluate
from lib.evaluation.results import Evaluation
from lib.images.config import ReadingConfig
from lib.images.thumbnails import read_thumbnails
from lib.models.bundle import Bundle, read_bundle
from lib.reasons import MEANINGS, Reason
from lib.reports.classification_rows import SHEETS, Collected, Row
from lib.reports.data import ClassificationReport, ContactSheet, ErrorReason, Thumbnail
from lib.reports.render import render_classification
from lib.runs import files
from lib.runs.cost import PricesConfig
from lib.runs.run import Run
from pipelines.publication import Judged, heading

ROWS_AT_ONCE = 65_536
UNFAMILIAR = 24


def write_report(judged: Judged, diff: Diff, reading: ReadingConfig) -> Evaluation | None:
    """Write the report into the run's folder; return the evaluation, where labels are known."""
    finished = judged.finished
    run, manifest = finished.run, finished.manifest
    totals = manifest.totals
    bundle = read_bundle(manifest.bundle, run.storage)
    plan = finished.folder / files.PLAN
    run.storage.download(run.at(files.PLAN), plan)
    collected = collect(finished.rows, plan, bundle)
    unfamiliar = rows_of(judged.drift.unfamiliar if judged.drift else (), finished.rows)
    thumbnails = show(run, collected, [*judged.moves, *unfamiliar], plan, reading)
    evaluation = None
    if collected.truth:
        evaluation = evaluate(collected.truth, collected.predicted, bundle.taxonomy)
    prices = PricesConfig.model_validate(run.record.run_file.get("prices", {}))
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
        error_items=collected.errors,
        sheets=[
            ContactSheet(
                category=each.path,
                items=each.accepted + each.parent + each.review,
                thumbnails=[thumbnails[i] for _, i, _ in collected.samples[each.category_id]],
            )
            for each in collected.categories[:SHEETS]
        ],
        least_sure=[thumbnails[row["item_id"]] for row in collected.least_sure],
        evaluation=evaluation,
        diff=diff.model_dump(),
        moves=[
            replace(
                thumbnails[row["item_id"]],
                category=f"{row['was_path']} \N{RIGHTWARDS ARROW} {row['category_path']}",
            )
            for row in judged.moves
        ],
        cost=prices.sentence(manifest.node_hours, manifest.totals.items),
        drift=judged.drift,
        unfamiliar=[thumbnails[row["item_id"]] for row in unfamiliar],
    )
    run.write(files.REPORT, render_classification(report).encode())
    return evaluation


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


def rows_of(item_ids: Sequence[str], parts: Sequence[Path]) -> list[Row]:
    """Read what the report shows of the first of some items, in their order."""
    shown = list(item_ids[:UNFAMILIAR])
    columns, wanted = ["item_id", "uri", "category_path", "confidence"], [("item_id", "in", shown)]
    found: dict[str, Row] = {}
    for part in parts if shown else ():
        rows = parquet.read_table(part, columns=columns, filters=wanted).to_pylist()
        found |= {row["item_id"]: row for row in rows}
    return [found[item_id] for item_id in shown]


def show(
    run: Run, collected: Collected, others: list[Row], plan: Path, reading: ReadingConfig
) -> dict[str, Thumbnail]:
    """Fetch the pictures of the items that the report shows, by item id."""
    rows: dict[str, Row] = {row["item_id"]: row for row in [*collected.least_sure, *others]}
    for each in collected.categories[:SHEETS]:
        rows |= {item_id: row for _, item_id, row in collected.samples[each.category_id]}
    names: dict[str, str | None] = {}
    if rows:
        wanted = [("item_id", "in", list(rows))]
        found = parquet.read_table(plan, columns=["item_id", "name"], filters=wanted)
        names = dict(zip(found["item_id"].to_pylist(), found["name"].to_pylist(), strict=True))
    uris = [row["uri"] for row in rows.values()]
    pictures = read_thumbnails(uris, reading, run.storage.config)
    return {
        item_id: Thumbnail(
            jpeg=picture,
            item_id=item_id,
            name=names[item_id],
            category=row["category_path"],
            confidence=row["confidence"],
        )
        for (item_id, row), picture in zip(rows.items(), pictures, strict=True)
    }

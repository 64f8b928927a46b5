"""The report of a classification: read the parts back, pick samples, fetch their pictures."""

import io
import itertools
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from lib.catalog.diff import Diff
from lib.evaluation.metrics import evaluate
from lib.evaluation.results import Evaluation
from lib.images.config import ReadingConfig
from lib.images.thumbnails import read_thumbnails
from lib.labels.gates import GateResult
from lib.models.bundle import Bundle, read_bundle
from lib.reasons import MEANINGS, Reason
from lib.reports.classification_rows import SHEETS, Collected, Row
from lib.reports.data import ClassificationReport, ContactSheet, ErrorReason, Thumbnail
from lib.reports.render import render_classification
from lib.runs.cost import PricesConfig
from lib.runs.manifest import Manifest
from lib.runs.run import Run
from pipelines.classify_plan import PLAN
from pipelines.publication import Publication

ROWS_AT_ONCE = 65_536


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What the report shows beside the run's rows."""

    manifest: Manifest
    diff: Diff
    publication: Publication
    gates: list[GateResult]
    moves: list[dict[str, Any]]


def write_report(run: Run, shown: Shown, reading: ReadingConfig) -> Evaluation | None:
    """Write `report.html` into the run folder; give the evaluation, where labels are known."""
    manifest, totals, publication = shown.manifest, shown.manifest.totals, shown.publication
    bundle = read_bundle(manifest.bundle, run.storage)
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / PLAN
        run.storage.download(run.at(PLAN), plan)
        collected = collect(run, manifest, plan, bundle)
        thumbnails = show(run, collected, shown.moves, plan, reading)
    evaluation = None
    if collected.truth:
        evaluation = evaluate(collected.truth, collected.predicted, bundle.taxonomy)
    record = run.read_json("run.json")
    prices = PricesConfig.model_validate(record["run_file"].get("prices", {}))
    report = ClassificationReport(
        run_id=run.run_id,
        started_at=record["created_at"],
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        catalog=manifest.catalog,
        labels_table=publication.table,
        published_version=None if publication.error else publication.version,
        unpublished_because=str(publication.error) if publication.error else None,
        bundle=bundle.uri,
        bundle_digest=bundle.digest,
        taxonomy_version=manifest.taxonomy_version,
        engine="; ".join(totals.engines),
        items=totals.items,
        labelled=totals.labelled,
        errors=totals.error_count,
        decisions=totals.decisions,
        bytes_fetched=totals.bytes_fetched,
        retries=totals.retries,
        wall_s=manifest.seconds,
        images_per_s=manifest.images_per_s,
        stages={"fetch": totals.fetch_s, "decode": totals.decode_s, "forward": totals.forward_s},
        confidence_counts=collected.histogram.tolist(),
        threshold=bundle.info.threshold,
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
        diff=shown.diff.model_dump(),
        gates=shown.gates,
        moves=[
            replace(
                thumbnails[row["item_id"]],
                category=f"{row['was_path']} \N{RIGHTWARDS ARROW} {row['category_path']}",
            )
            for row in shown.moves
        ],
        cost=prices.sentence(manifest.node_hours, manifest.totals.items),
    )
    run.storage.write(run.at("report.html"), render_classification(report).encode())
    return evaluation


def collect(run: Run, manifest: Manifest, plan: Path, bundle: Bundle) -> Collected:
    """Read the run's parts, some rows at a time, and keep what the report shows."""
    leaves = list(bundle.taxonomy.leaves)
    known = parquet.read_table(
        plan, columns=["item_id", "category_id"], filters=[("category_id", "in", leaves)]
    )
    collected = Collected()
    seeds = itertools.count()
    for part in manifest.parts:
        file = parquet.ParquetFile(io.BytesIO(run.storage.read(run.at(part.path))))
        # a whole part, unpacked, is a gigabyte
        for batch in file.iter_batches(ROWS_AT_ONCE):
            collected.add(pa.Table.from_batches([batch]), known, seed=next(seeds))
    return collected


def show(
    run: Run, collected: Collected, moves: list[Row], plan: Path, reading: ReadingConfig
) -> dict[str, Thumbnail]:
    """Fetch the pictures of the items that the report shows, by item id."""
    rows: dict[str, Row] = {row["item_id"]: row for row in [*collected.least_sure, *moves]}
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

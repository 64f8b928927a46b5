"""The report of a classification: read the parts back, pick samples, fetch their pictures."""

import io
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from lib.bundle import Bundle
from lib.manifest import Manifest
from lib.metrics import evaluate
from lib.prepare import ReadingConfig
from lib.reasons import MEANINGS, Reason
from lib.report.collect import SHEETS, Collected, Row
from lib.report.data import ClassificationReport, ContactSheet, ErrorReason, Evaluation, Thumbnail
from lib.report.page import render_classification
from lib.runs import Run
from lib.thumbnails import read_thumbnails


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What became of a run: the table's version, or why it was refused."""

    table: str
    version: int | None = None
    refused: str | None = None

    @property
    def state(self) -> str:
        """One word for `outcome.json`."""
        return "refused" if self.refused else "published"

    @property
    def sentence(self) -> str:
        """The same for a person."""
        return self.refused or f"published as version {self.version} of {self.table}"


def write_report(
    run: Run, bundle: Bundle, manifest: Manifest, publication: Publication, reading: ReadingConfig
) -> Evaluation | None:
    """Write `report.html` into the run folder; give the evaluation, where labels are known."""
    snapshot = run.read_table("snapshot.parquet")
    collected = collect(run, manifest, snapshot, bundle)
    thumbnails = show(run, collected, snapshot, reading)
    totals = manifest.totals
    evaluation = None
    if collected.truth:
        evaluation = evaluate(collected.truth, collected.predicted, bundle.taxonomy)
    report = ClassificationReport(
        run_id=run.run_id,
        started_at=run.read_json("run.json")["created_at"],
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        catalog=manifest.catalog,
        labels_table=publication.table,
        published_version=publication.version,
        unpublished_because=publication.refused,
        bundle=bundle.uri,
        bundle_digest=bundle.digest,
        taxonomy_version=manifest.taxonomy_version,
        engine="; ".join(totals.engines),
        items=totals.items,
        labelled=totals.labelled,
        errors=totals.error_count,
        decisions=totals.decisions,
        bytes_fetched=totals.bytes_fetched,
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
    )
    run.storage.write(run.at("report.html"), render_classification(report).encode())
    return evaluation


def collect(run: Run, manifest: Manifest, snapshot: pa.Table, bundle: Bundle) -> Collected:
    """Read the run's parts, one at a time, and keep what the report shows."""
    leaves = pa.array(bundle.taxonomy.leaves)
    known = snapshot.select(["item_id", "category_id"])
    known = known.filter(pc.is_in(known["category_id"], leaves))
    collected = Collected()
    for number, part in enumerate(manifest.parts):
        data = run.storage.read(run.at(part.path))
        collected.add(parquet.read_table(io.BytesIO(data)), known, seed=number)
    return collected


def show(
    run: Run, collected: Collected, snapshot: pa.Table, reading: ReadingConfig
) -> dict[str, Thumbnail]:
    """Fetch the pictures of the items that the report shows, by item id."""
    rows: dict[str, Row] = {row["item_id"]: row for row in collected.least_sure}
    for each in collected.categories[:SHEETS]:
        rows |= {item_id: row for _, item_id, row in collected.samples[each.category_id]}
    shown = snapshot.filter(pc.is_in(snapshot["item_id"], pa.array(rows, pa.string())))
    names = dict(zip(shown["item_id"].to_pylist(), shown["name"].to_pylist(), strict=True))
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

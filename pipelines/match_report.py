"""The report of a match: pairs side by side."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from lib.images.thumbnails import read_thumbnails
from lib.matching.scorer import FORBIDS
from lib.reports.links import image_link
from lib.reports.match_data import Half, MatchReport, ShownPair
from lib.reports.render import render_match
from lib.runs import files
from lib.runs.manifest import read_manifest
from lib.runs.run import Run
from pipelines.match_inputs import MatchRun
from pipelines.match_sides import Scoring

SHOWN = 24
ITEM = ["item_id", "uri", "name"]


def write_report(run: Run, config: MatchRun, pairs: Mapping[str, int], refused: str) -> None:
    """Write the report into the run's folder.

    Args:
        run: with its manifest.
        config: the run file.
        pairs: how many each band has.
        refused: which gate refuses the run, or an empty text.
    """
    manifest, scoring = read_manifest(run), run.find(files.SCORING, Scoring)
    assert manifest is not None
    assert scoring is not None
    chosen = _choose(run.read_table(files.PAIRS))
    shown = _show(run, config, chosen)
    clusters = run.read_table(files.CLUSTERS)
    report = MatchReport(
        run_id=run.run_id,
        started_at=run.record.created_at.isoformat(timespec="seconds"),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        left=config.left.uri,
        right=config.right.uri if config.right else None,
        items=manifest.totals.items,
        errors=manifest.totals.error_count,
        pairs=dict(pairs),
        matched=dict(manifest.totals.decisions),
        clusters=(pc.count_distinct(clusters["cluster"]).as_py(), clusters.num_rows),
        compared="images and names" if run.record.fingerprint["backbone"] else "names",
        limits=scoring.sentence,
        promised=scoring.promised,
        refused=refused,
        surest=shown["surest"],
        doubtful=shown["doubtful"],
        contradicting=shown["contradicting"],
    )
    run.write(files.REPORT, render_match(report).encode())


def _choose(pairs: pa.Table) -> dict[str, list[dict[str, Any]]]:
    """Choose the pairs that are shown, by where they stand."""
    ranked = pairs.sort_by(
        [("final_score", "descending"), ("left_id", "ascending"), ("right_id", "ascending")]
    )
    same = ranked.filter(pc.equal(ranked["band"], "same"))
    spread = np.unique(np.linspace(0, max(same.num_rows - 1, 0), SHOWN).astype(np.int64))
    review = ranked.filter(pc.equal(ranked["band"], "review"))
    contradicting = [
        row for row in review.slice(0, 50 * SHOWN).to_pylist() if {*row["differs"]} & {*FORBIDS}
    ]
    return {
        "surest": same.take(spread[: same.num_rows]).to_pylist(),
        "doubtful": review.slice(0, SHOWN).to_pylist(),
        "contradicting": contradicting[:SHOWN],
    }


def _show(
    run: Run, config: MatchRun, chosen: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, list[ShownPair]]:
    rows = [row for each in chosen.values() for row in each]
    left = _halves(run, config, files.PLAN, {row["left_id"] for row in rows})
    right_file = files.RIGHT if config.right else files.PLAN
    right = _halves(run, config, right_file, {row["right_id"] for row in rows})
    return {
        kind: [
            ShownPair(
                left=left[row["left_id"]],
                right=right[row["right_id"]],
                final=row["final_score"],
                image=row["image_score"],
                name=row["name_score"],
                differs=row["differs"],
            )
            for row in each
        ]
        for kind, each in chosen.items()
    }


def _halves(run: Run, config: MatchRun, file: str, ids: set[str]) -> dict[str, Half]:
    if not ids:
        return {}
    filesystem, path = run.storage.open(run.at(file))
    with filesystem.open(path, "rb") as opened:
        wanted = [("item_id", "in", sorted(ids))]
        items = parquet.read_table(opened, columns=ITEM, filters=wanted).to_pylist()
    storage = config.storage
    pictures = read_thumbnails([item["uri"] for item in items], config.reading, storage)
    return {
        item["item_id"]: Half(
            item_id=item["item_id"],
            name=item["name"],
            jpeg=jpeg,
            link=image_link(item["uri"], storage),
        )
        for item, jpeg in zip(items, pictures, strict=True)
    }

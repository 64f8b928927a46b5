"""A catalog that waits for a person: photos, embeddings, and labels that are mostly unsure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lib.embeddings.store import EmbeddingStore, to_table
from lib.schemas import LABELS_SCHEMA
from tests.helpers.catalogs import (
    LOCAL,
    TAXONOMY,
    label_rows,
    make_bundle,
    pictures,
    read_items,
    write_catalog,
)
from tests.helpers.searched import WIDTH, publish

TITLES = ("Blue shirt", "Warm knitwear", "Long trousers", "Red skirt", "Leather shoes")


def best_of(shares: Sequence[float], first: int = 0) -> list[dict[str, Any]]:
    """Return a `top_k`: shares of the taxonomy's leaves, from one of them on."""
    leaves = [*TAXONOMY.leaves[first:], *TAXONOMY.leaves[:first]]
    pairs = zip(leaves, shares, strict=False)
    return [{"category_id": leaf, "probability": share} for leaf, share in pairs]


def make_questions(
    folder: Path, questions: int = 12, accepted: int = 0, changes: Mapping[str, Any] | None = None
) -> list[str]:
    """Make a labels table with its photos and embeddings; return the ids of what is for review.

    Item `n` looks like those that differ from it by a multiple of five, and is likeliest what its
    title says. The first `questions` items are for review, each surer than the one before; then
    come the accepted ones.

    Args:
        folder: for all of it.
        questions: items for review.
        accepted: items that are accepted.
        changes: columns of items, by id.
    """
    count = questions + accepted
    bundle = make_bundle(str(folder / "bundle"))
    items = read_items(write_catalog(str(folder / "images"), pictures(count)))
    kinds = np.random.default_rng(0).normal(size=(5, WIDTH))
    noise = np.random.default_rng(1).normal(size=(count, WIDTH))
    vectors = (kinds[np.arange(count) % 5] + 0.2 * noise).astype(np.float16)
    store = EmbeddingStore(str(folder / "embeddings"), bundle.backbone_digest, LOCAL)
    store.append("night", [to_table(items["uri"], items["etag"], vectors)])
    rows = label_rows(items["item_id"].to_pylist(), run_id="night").to_pylist()
    for number, item in enumerate(items.to_pylist()):
        row = rows[number]
        sure = number >= questions
        first = 0.97 if sure else 0.4 + 0.25 * number / max(questions, 1)
        rest = [(1 - first) * part for part in (0.45, 0.25, 0.2, 0.1)]
        leaf = TAXONOMY.leaves[number % 5]
        row |= {"uri": item["uri"], "etag": item["etag"]}  # the rows are ours
        row |= {"category_id": leaf, "category_path": TAXONOMY.path(leaf), "confidence": first}
        row["top_k"] = best_of([first, *rest], number % 5)
        row["decision"] = "accept" if sure else "review"
        row["name"] = f"{TITLES[number % 5]} {number}"
        row |= (changes or {}).get(row["item_id"], {})
    publish(folder, pa.Table.from_pylist(rows, schema=LABELS_SCHEMA), bundle.made)
    return [row["item_id"] for row in rows[:questions]]


def told(item: Mapping[str, Any], minutes_ago: int = 10, **values: object) -> dict[str, Any]:
    """Return an annotation of an item, by ann, as a row."""
    row = {
        "annotation_id": f"{minutes_ago}-{item['item_id']}", "item_id": item["item_id"],
        "uri": item["uri"], "etag": item["etag"], "answer": "category", "category_id": "shirt",
        "taxonomy_version": TAXONOMY.version, "by": "ann", "why": "queue",
        "at": datetime.now(UTC) - timedelta(minutes=minutes_ago),
    }  # fmt: skip
    return {**row, **values}

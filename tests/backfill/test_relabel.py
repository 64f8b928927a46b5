from typing import Any

import numpy as np
import pyarrow as pa

from lib.backfill.relabel import Relabeller
from lib.labels.decisions import Decider
from lib.schemas import LABELS_SCHEMA
from lib.taxonomy.migration import Migration, migrate
from lib.taxonomy.taxonomy import parse_taxonomy
from tests.helpers import catalogs

MERGED = parse_taxonomy(
    """
version: "8"
replaces: {version: "7", merged: {wear: [shirt, knitwear]}, renamed: {clothing: clothes}}
categories:
- id: clothes
  name: Clothes
  children: [{id: wear, name: Wear}, {id: trousers, name: Trousers}, {id: skirt, name: Skirts}]
- {id: shoes, name: Shoes}
""",
    "new.yaml",
)
SPLIT = parse_taxonomy(
    """
version: "8"
replaces: {version: "7", split: {shirt: [blouse, polo]}}
categories: [{id: blouse}, {id: polo}, {id: knitwear}, {id: trousers}, {id: skirt}, {id: shoes}]
""",
    "new.yaml",
)
MERGE = migrate([catalogs.TAXONOMY, MERGED])
THRESHOLD = 0.7


def row(category_id: str, decision: str, confidence: float, **top_k: float) -> dict[str, Any]:
    made: dict[str, Any] = catalogs.label_rows(["a"]).to_pylist()[0]
    pairs = [{"category_id": each, "probability": p} for each, p in top_k.items()]
    return made | {
        "category_id": category_id,
        "category_path": catalogs.TAXONOMY.path(category_id),
        "decision": decision,
        "confidence": confidence,
        "top_k": pairs,
    }


def relabeller(migration: Migration = MERGE) -> Relabeller:
    new = migration.new
    return Relabeller(
        migration, Decider(taxonomy=new, category_ids=new.leaves, threshold=THRESHOLD)
    )


def relabel(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    table = pa.Table.from_pylist(list(rows), schema=LABELS_SCHEMA)
    found: list[dict[str, Any]] = relabeller().relabel(table).to_pylist()
    return found


def test_two_that_were_unsure_between_each_other_are_sure_together() -> None:
    (got,) = relabel(row("shirt", "review", 0.5, shirt=0.5, knitwear=0.375, skirt=0.125))

    assert (got["category_id"], got["decision"], got["confidence"]) == ("wear", "accept", 0.875)
    assert got["category_path"] == "Clothes > Wear"
    assert got["top_k"] == [
        {"category_id": "wear", "probability": 0.875},
        {"category_id": "skirt", "probability": 0.125},
    ]


def test_a_parent_stays_as_sure_as_it_was_though_its_sum_had_more_leaves() -> None:
    (got,) = relabel(row("clothing", "parent", 0.8, shirt=0.25, trousers=0.25, shoes=0.2))

    assert (got["category_id"], got["decision"]) == ("clothes", "parent")
    assert got["confidence"] == np.float32(0.8)


def test_an_error_stays_an_error() -> None:
    broken = catalogs.label_rows(["x"], broken=["x"]).to_pylist()[0]

    got, _ = relabel(broken, row("shoes", "accept", 0.9, shoes=0.9))

    assert (got["category_id"], got["decision"], got["error"]) == (None, "error", "gone")


def test_a_row_is_settled_where_its_category_and_all_it_was_unsure_between_are() -> None:
    rows = [
        row("shoes", "accept", 0.9, shoes=0.9, shirt=0.1),
        row("shirt", "accept", 0.9, shirt=0.9),
        row("shoes", "review", 0.5, shoes=0.5, shirt=0.4),
        row("shoes", "review", 0.5, shoes=0.5, skirt=0.4),
        row("bottoms", "parent", 0.9, skirt=0.5, trousers=0.4),
        catalogs.label_rows(["x"], broken=["x"]).to_pylist()[0],
    ]
    table = pa.Table.from_pylist(rows, schema=LABELS_SCHEMA)

    settled = relabeller(migrate([catalogs.TAXONOMY, SPLIT])).is_settled(table)

    assert settled.to_pylist() == [True, False, False, True, True, True]

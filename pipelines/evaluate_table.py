"""What a labels table says of labelled items; no image is read."""

import pyarrow as pa
import pyarrow.compute as pc

from lib.evaluation.predictions import PREDICTIONS_SCHEMA, Answered
from lib.labels.decisions import Decision
from lib.labels.delta_table import LabelsTable
from lib.reasons import ErrorItem, Reason
from lib.schemas import LABELS_SCHEMA

READ = ("item_id", "etag", "category_id", "confidence", "top_k", "decision", "error",
        "error_detail")  # fmt: skip


def answer_from(table: LabelsTable, version: int, items: pa.Table) -> Answered:
    """Return what a labels table has of labelled items, by item id and, where known, etag.

    The prediction is the most probable leaf, and the published label where there is no other.

    Args:
        table: the labels table.
        version: of it.
        items: columns of `ITEM_SCHEMA`, with the true category ids.
    """
    wanted = items["item_id"].combine_chunks()
    schema = pa.schema([LABELS_SCHEMA.field(name) for name in READ])
    batches = table.batches(version, READ)
    found = [each.filter(pc.is_in(each["item_id"], wanted)).cast(schema) for each in batches]
    rows = pa.Table.from_batches(found, schema)
    place = pc.index_in(items["item_id"], rows["item_id"].combine_chunks())
    rows = rows.take(place.combine_chunks())  # one per item, all of nulls where there is none
    missing = pc.is_null(place)
    changed = pc.fill_null(pc.not_equal(items["etag"], rows["etag"]), fill_value=False)
    # a person may have decided on an image that failed: no model has said anything of it
    unseen = pc.and_(pc.equal(rows["decision"], Decision.PERSON), pc.is_null(rows["top_k"]))
    failed = pc.or_(pc.is_valid(rows["error"]), pc.fill_null(unseen, fill_value=False))
    left_out = []
    for reason, detail, where in (
        ("missing", "the labels table has no row of this item", missing),
        (Reason.CHANGED, "the row is of another version of the image", changed),
    ):
        left_out += [
            ErrorItem(item_id=row["item_id"], uri=row["uri"], code=reason, detail=detail)
            for row in items.filter(where).to_pylist()
        ]
    answered = pc.invert(pc.or_(pc.or_(missing, changed), failed))
    broken = pc.and_not(failed, changed)
    left_out += [
        ErrorItem(item_id=item_id, uri=uri, code=code, detail=detail)
        for item_id, uri, code, detail in zip(
            items["item_id"].filter(broken).to_pylist(),
            items["uri"].filter(broken).to_pylist(),
            pc.coalesce(rows["error"], _reason(rows)).filter(broken).to_pylist(),
            rows["error_detail"].filter(broken).to_pylist(),
            strict=True,
        )
    ]
    return Answered(_predictions(items.filter(answered), rows.filter(answered)), left_out)


def _reason(rows: pa.Table) -> pa.ChunkedArray:
    """Return the reason code that the detail of a label without an image begins with."""
    found = pc.extract_regex(rows["error_detail"], r"^(?P<code>[a-z_]+):")
    return pc.struct_field(found, "code")


def _predictions(items: pa.Table, rows: pa.Table) -> pa.Table:
    best = [(top or [None])[0] for top in rows["top_k"].to_pylist()]
    labels, sure = rows["category_id"].to_pylist(), rows["confidence"].to_pylist()
    columns = {
        **{name: items[name] for name in ("item_id", "uri", "etag", "category_id")},
        "predicted": [
            each["category_id"] if each else label for each, label in zip(best, labels, strict=True)
        ],
        "confidence": [
            each["probability"] if each else own for each, own in zip(best, sure, strict=True)
        ],
        "probabilities": pa.nulls(rows.num_rows, PREDICTIONS_SCHEMA.field("probabilities").type),
        "fold": pa.nulls(rows.num_rows, pa.int32()),
        "label": rows["category_id"],
        "decision": rows["decision"],
    }
    return pa.table(columns, schema=PREDICTIONS_SCHEMA)

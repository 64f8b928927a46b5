"""The columns of items and of labels, in every file and table: written here, once."""

import pyarrow as pa

LABELS_SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("etag", pa.string()),
        pa.field("category_id", pa.string()),
        pa.field("category_path", pa.string()),
        pa.field("confidence", pa.float32()),
        pa.field(
            "top_k",
            pa.list_(
                pa.struct(
                    [
                        pa.field("category_id", pa.string()),
                        pa.field("probability", pa.float32()),
                    ]
                )
            ),
        ),
        pa.field("decision", pa.string(), nullable=False),
        pa.field("error", pa.string()),
        pa.field("error_detail", pa.string()),
        pa.field("bundle_digest", pa.string(), nullable=False),
        pa.field("taxonomy_version", pa.string(), nullable=False),
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("classified_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("name", pa.string()),
    ]
)
# columns that came later: what earlier versions wrote lacks them, and they are null there
ADDED = ("name",)

# the labels table's: of an error, what the item was labelled before, in the taxonomy of that time
TABLE_SCHEMA = pa.schema(
    [
        *LABELS_SCHEMA,
        pa.field("last_category_id", pa.string()),
        pa.field("last_classified_at", pa.timestamp("us", tz="UTC")),
    ]
)

# a row for each tag that an item has, or may have
TAGS_SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("tag", pa.string(), nullable=False),
        pa.field("probability", pa.float32(), nullable=False),
        pa.field("decision", pa.string(), nullable=False),  # accept, review or person
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("tagged_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)

# a row for each answer that a person has given about an item, or taken back; none is ever changed
ANNOTATIONS_SCHEMA = pa.schema(
    [
        pa.field("annotation_id", pa.string(), nullable=False),  # the same in each try to write it
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("etag", pa.string()),
        pa.field("answer", pa.string(), nullable=False),  # a value of `labels.annotations.Answer`
        pa.field("category_id", pa.string()),
        pa.field("taxonomy_version", pa.string(), nullable=False),
        pa.field("by", pa.string(), nullable=False),
        pa.field("at", pa.timestamp("us", tz="UTC"), nullable=False),
        # what the item was labelled when it was asked about
        pa.field("previous_category_id", pa.string()),
        pa.field("previous_decision", pa.string()),
        pa.field("confidence", pa.float32()),
        pa.field("why", pa.string()),  # it was asked about: queue, browse, audit, import, mapped
    ]
)

ITEM_SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("etag", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("name", pa.string()),
        pa.field("category_id", pa.string()),
        pa.field("split", pa.string()),  # train or validation, where the catalog says
    ]
)


def as_labels(rows: pa.Table) -> pa.Table:
    """Return rows with the columns of `LABELS_SCHEMA` alone; those of `ADDED` may be missing."""
    lacking = pa.nulls(rows.num_rows)
    there = set(rows.column_names)
    columns = [rows[n] if n in there or n not in ADDED else lacking for n in LABELS_SCHEMA.names]
    return pa.table(columns, names=LABELS_SCHEMA.names).cast(LABELS_SCHEMA)

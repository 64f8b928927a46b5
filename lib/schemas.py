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
    ]
)

# the labels table's: of an error, what the item was labelled before, in the taxonomy of that time
TABLE_SCHEMA = pa.schema(
    [
        *LABELS_SCHEMA,
        pa.field("last_category_id", pa.string()),
        pa.field("last_classified_at", pa.timestamp("us", tz="UTC")),
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

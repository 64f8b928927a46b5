"""The columns of pairs, of items with their best match, and of clusters."""

import pyarrow as pa

_SCORES = [pa.field(f"{kind}_score", pa.float32()) for kind in ("image", "name", "final")]
_ERROR = [pa.field("error", pa.string()), pa.field("error_detail", pa.string())]

PAIRS_SCHEMA = pa.schema(
    [
        pa.field("left_id", pa.string(), nullable=False),
        pa.field("right_id", pa.string(), nullable=False),
        *_SCORES,
        pa.field("band", pa.string(), nullable=False),
        pa.field("differs", pa.list_(pa.string()), nullable=False),
    ]
)

# of a unit: its pairs, the best of each left item first; without a right_id where it has none
UNIT_SCHEMA = pa.schema(
    [
        pa.field("left_id", pa.string(), nullable=False),
        pa.field("right_id", pa.string()),
        *list(PAIRS_SCHEMA)[2:],
        pa.field("category_id", pa.string()),  # of the right item
        *_ERROR,
    ]
)

# one row for each left item
ITEMS_SCHEMA = pa.schema(
    [
        pa.field("left_id", pa.string(), nullable=False),
        pa.field("right_id", pa.string()),
        pa.field("final_score", pa.float32()),
        pa.field("band", pa.string(), nullable=False),
        pa.field("category_id", pa.string()),  # that its matches suggest
        pa.field("category_score", pa.float32()),
        *_ERROR,
    ]
)

CLUSTERS_SCHEMA = pa.schema(
    [
        pa.field("cluster", pa.int64(), nullable=False),
        pa.field("side", pa.string(), nullable=False),  # left or right
        pa.field("item_id", pa.string(), nullable=False),
    ]
)

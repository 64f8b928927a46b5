"""People's answers about items: which of them stand, and where their table lies."""

from enum import StrEnum

import pyarrow as pa

from lib.schemas import ANNOTATIONS_SCHEMA
from lib.sql import open_duckdb, read_rows


class Answer(StrEnum):
    """What a person has said of an item; the value stands in the column `answer`."""

    CATEGORY = "category"  # it belongs to `category_id`
    REJECTED = "rejected"  # it belongs to no category of the taxonomy
    WITHDRAWN = "withdrawn"  # the answer before is taken back
    SPLIT = "split"  # the answer before was of a category that is split: a question again


STANDING = (Answer.CATEGORY, Answer.REJECTED)


def annotations_of(labels_table: str) -> str:
    """Return where the answers about a table's items lie, unless a run file says otherwise."""
    return f"{labels_table.rstrip('/')}-annotations"


def newest_answers(annotations: pa.Table, taxonomy_version: str) -> pa.Table:
    """Return the newest annotation of each image of an item in one version of the taxonomy.

    An image is told by item and etag, or by item and uri where the store has no etag: what was
    said of one image is not said of the next. Answers of other versions count no more; a backfill
    writes what has become of them in the new one, and `with_late` says it of those that came after.

    Args:
        annotations: of `ANNOTATIONS_SCHEMA`.
        taxonomy_version: the version.

    Returns:
        Of `ANNOTATIONS_SCHEMA`, sorted by item; also what was withdrawn or split.
    """
    query = """
        SELECT * FROM annotations WHERE taxonomy_version = $version
        QUALIFY row_number() OVER (
            PARTITION BY item_id, coalesce(etag, uri) ORDER BY "at" DESC, annotation_id DESC
        ) = 1 ORDER BY item_id, "at" """
    with open_duckdb() as connection:
        connection.register("annotations", annotations)
        found = read_rows(connection, query, {"version": taxonomy_version}).read_all()
    return found.cast(ANNOTATIONS_SCHEMA)


def standing_answers(annotations: pa.Table, taxonomy_version: str) -> pa.Table:
    """Return the answers that stand: `newest_answers` without what was withdrawn or split."""
    found = newest_answers(annotations, taxonomy_version)
    kept = pa.array([each in STANDING for each in found["answer"].to_pylist()], pa.bool_())
    return found.filter(kept)

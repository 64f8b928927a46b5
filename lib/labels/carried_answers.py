"""What becomes of people's answers when a table moves to another taxonomy: mapped by its rules."""

from typing import Any

import pyarrow as pa

from lib.hashing import digest_json
from lib.labels.annotations import Answer, newest_answers
from lib.labels.decisions import Decision
from lib.schemas import ANNOTATIONS_SCHEMA
from lib.taxonomy.migration import Migration

MAPPED = "mapped"

Row = dict[str, Any]


def carried_answers(annotations: pa.Table, migration: Migration) -> pa.Table:
    """Return the newest answers in the old taxonomy as answers in the new one.

    They are as old as they were, so that among those that are given in the new one the newest
    still counts; each has an id that follows from its own and from the new version, so that mapping
    it again adds nothing. An answer whose category has not one certain heir is `Answer.SPLIT`, a
    question again, as is one that an item is in no category where a category is added. Where
    the table stays in its taxonomy, they stay what they are.

    Args:
        annotations: of `ANNOTATIONS_SCHEMA`, all that there are.
        migration: from the old taxonomy to the new one.
    """
    if migration.stays:
        return ANNOTATIONS_SCHEMA.empty_table()
    heirs = migration.heirs | migration.certain
    there = newest_answers(annotations, migration.new.version)
    answered = {_image(row) for row in there.to_pylist()}
    old = newest_answers(annotations, migration.old.version).to_pylist()
    rows = [
        _carried(row, heirs, migration)
        for row in old
        # what was taken back is taken back there, too, and else is nothing
        if row["answer"] != Answer.WITHDRAWN or _image(row) in answered
    ]
    return pa.Table.from_pylist(rows, schema=ANNOTATIONS_SCHEMA)


def _carried(row: Row, heirs: dict[str, str], migration: Migration) -> Row:
    answer, category = row["answer"], heirs.get(row["category_id"])
    lost = answer == Answer.CATEGORY and category is None
    if lost or (answer == Answer.REJECTED and migration.added):
        answer = Answer.SPLIT
    version = migration.new.version
    carried = row | {
        "annotation_id": digest_json([row["annotation_id"], version]),
        "answer": answer,
        "category_id": category if answer == Answer.CATEGORY else None,
        "taxonomy_version": version,
        "why": MAPPED,
    }
    if row["answer"] == Answer.SPLIT:  # what it was before is said already
        return carried
    return carried | {
        "previous_category_id": row["category_id"],
        "previous_decision": Decision.PERSON,
    }


def _image(row: Row) -> tuple[str, str]:
    return row["item_id"], row["uri"] if row["etag"] is None else row["etag"]

"""What becomes of people's answers when a table moves to another taxonomy: mapped by its rules."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lib.hashing import digest_json
from lib.labels.annotations import Answer, newest_answers
from lib.labels.decisions import Decision
from lib.schemas import ANNOTATIONS_SCHEMA
from lib.taxonomy.migration import Migration
from lib.taxonomy.taxonomy import Taxonomy

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
    rule = _Rule(
        version=migration.old.version,
        taxonomy=migration.new,
        heirs=migration.heirs | migration.certain,
        has_added=bool(migration.added),
    )
    return _mapped(with_late(annotations, migration.old), rule)


def with_late(annotations: pa.Table, taxonomy: Taxonomy) -> pa.Table:
    """Return annotations, and what has become of those that came after the table had moved.

    They were given in the version that a taxonomy replaces: on a page that was still open, or in a
    file that was taken in later. What `replaces` says of their categories counts. Of those that
    were carried when the table moved, the same would be found again, and nothing is added.

    Args:
        annotations: of `ANNOTATIONS_SCHEMA`, all that there are.
        taxonomy: of the table.
    """
    replaces = taxonomy.replaces
    if replaces is None:
        return annotations
    categories = {row["category_id"] for row in annotations.select(["category_id"]).to_pylist()}
    becomes = {each: replaces.becomes(each) for each in categories if each is not None}
    heirs = {each: news[0] for each, news in becomes.items() if len(news) == 1}
    rule = _Rule(
        version=replaces.version,
        taxonomy=taxonomy,
        heirs={each: new for each, new in heirs.items() if new in taxonomy.leaves},
        has_added=bool(replaces.added),
    )
    mapped = _mapped(annotations, rule)
    there = pc.is_in(mapped["annotation_id"], annotations["annotation_id"].combine_chunks())
    return pa.concat_tables([annotations, mapped.filter(pc.invert(there))])


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """What becomes of answers.

    Attributes:
        version: of the taxonomy that they are in.
        taxonomy: the one after it.
        heirs: by old category, the one that it has become for certain.
        has_added: whether a category is new, to which any item may belong.
    """

    version: str
    taxonomy: Taxonomy
    heirs: Mapping[str, str]
    has_added: bool


def _mapped(annotations: pa.Table, rule: _Rule) -> pa.Table:
    there = newest_answers(annotations, rule.taxonomy.version)
    answered = {_image(row) for row in there.to_pylist()}
    rows = [
        _carried(row, rule)
        for row in newest_answers(annotations, rule.version).to_pylist()
        # what was taken back is taken back there, too, and else is nothing
        if row["answer"] != Answer.WITHDRAWN or _image(row) in answered
    ]
    return pa.Table.from_pylist(rows, schema=ANNOTATIONS_SCHEMA)


def _carried(row: Row, rule: _Rule) -> Row:
    answer, category = row["answer"], rule.heirs.get(row["category_id"])
    version = rule.taxonomy.version
    lost = answer == Answer.CATEGORY and category is None
    if lost or (answer == Answer.REJECTED and rule.has_added):
        answer = Answer.SPLIT
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

"""People's answers on rows of labels: laid over what the model says, and taken off again."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lib.labels.annotations import STANDING, Answer, newest_answers
from lib.labels.carried_answers import with_late
from lib.labels.decisions import TOP_K, Decider, Decision
from lib.reasons import Reason
from lib.schemas import LABELS_SCHEMA
from lib.taxonomy.taxonomy import Taxonomy

BY_A_PERSON = " (decided by a person)"
FAILED = re.compile(rf"([a-z_]+): (.*){re.escape(BY_A_PERSON)}", re.DOTALL)

Row = dict[str, Any]


@dataclass(frozen=True)
class Answers:
    """The answers that a run respects.

    Attributes:
        rows: of `ANNOTATIONS_SCHEMA`, one per image, as `respected` gives them.
        taxonomy: of their categories.
    """

    rows: pa.Table
    taxonomy: Taxonomy

    def lay_over(self, labels: pa.Table) -> pa.Table:
        """Return rows with what people say of the same images; without any, the same object.

        A person's category takes the place of the model's, whose confidence and candidates stay;
        an item that a person has rejected has no category, and one whose image fails is no error.
        What was asked again is for review.

        Args:
            labels: of `LABELS_SCHEMA`, as a model has made them.
        """
        if not self.rows.num_rows:
            return labels
        place = pc.index_in(_images(labels), self._images)
        if place.null_count == labels.num_rows:
            return labels
        answer = self._column("answer").take(place)
        said = pc.is_in(answer, pa.array(STANDING, pa.string()))
        asked = pc.and_(pc.is_in(answer, pa.array([Answer.SPLIT], pa.string())),
                        pc.is_null(labels["error"]))  # fmt: skip
        decision = pc.if_else(asked, Decision.REVIEW, labels["decision"])
        failed = pc.binary_join_element_wise(
            labels["error"], pc.coalesce(labels["error_detail"], ""), ": "
        )
        failed = pc.binary_join_element_wise(failed, BY_A_PERSON, "")
        columns = {
            "category_id": self._column("category_id").take(place),
            "category_path": self._paths.take(place),
            "decision": pa.scalar(Decision.PERSON, pa.string()),
            "error": pa.scalar(None, pa.string()),
            "error_detail": pc.coalesce(failed, labels["error_detail"]),
        }
        for name, values in columns.items():
            index = labels.schema.get_field_index(name)
            others = decision if name == "decision" else labels[name]
            column = pc.if_else(said, values, others)
            labels = labels.set_column(index, LABELS_SCHEMA.field(name), column)
        return labels

    @cached_property
    def _images(self) -> pa.Array:
        return _images(self.rows).combine_chunks()

    @cached_property
    def _paths(self) -> pa.Array:
        ids = self._column("category_id").to_pylist()
        return pa.array([each and self.taxonomy.path(each) for each in ids], pa.string())

    def _column(self, name: str) -> pa.Array:
        return self.rows[name].combine_chunks()


def respected(annotations: pa.Table, taxonomy: Taxonomy) -> pa.Table:
    """Return the newest answer of each image, but for those that were taken back.

    What was asked again (`Answer.SPLIT`) is among them; an answer whose category the taxonomy does
    not have is not.

    Args:
        annotations: of `ANNOTATIONS_SCHEMA`.
        taxonomy: whose version counts.
    """
    found = newest_answers(with_late(annotations, taxonomy), taxonomy.version)
    known = pa.array(taxonomy.by_id, pa.string())
    of_it = pc.and_(
        pc.equal(found["answer"], Answer.CATEGORY), pc.is_in(found["category_id"], known)
    )
    others = pc.is_in(found["answer"], pa.array([Answer.REJECTED, Answer.SPLIT], pa.string()))
    return found.filter(pc.or_(of_it, others))


def without_answers(
    labels: pa.Table, taxonomy: Taxonomy, decider: Decider | None = None
) -> pa.Table:
    """Return rows as if no person had decided on any; without such a row, the same object.

    What the model has said of the item counts again, and is for review; where its image had failed,
    it is an error again.

    Args:
        labels: of `LABELS_SCHEMA`.
        taxonomy: of their categories.
        decider: says what is sure enough of what the model has said; None: nothing is.
    """
    person = pc.equal(labels["decision"], Decision.PERSON)
    if not pc.any(person).as_py():
        return labels
    rows = [_by_the_model(row, taxonomy) for row in labels.filter(person).to_pylist()]
    if decider is not None:
        rows = _decided(rows, decider)
    every = pa.concat_tables([labels, pa.Table.from_pylist(rows, schema=LABELS_SCHEMA)])
    place = np.arange(labels.num_rows)
    place[person.to_numpy()] = labels.num_rows + np.arange(len(rows))
    return every.take(pa.array(place))


def _images(rows: pa.Table) -> pa.ChunkedArray:
    """Return what tells the image of each row: item and etag, or uri where there is no etag."""
    version = pc.coalesce(rows["etag"], rows["uri"])
    length = pc.binary_length(rows["item_id"]).cast(pa.string())  # no two run into one another
    return pc.binary_join_element_wise(length, rows["item_id"], version, " ")


def _by_the_model(row: Row, taxonomy: Taxonomy) -> Row:
    if row["top_k"]:
        best = row["top_k"][0]
        return row | {
            "category_id": best["category_id"],
            "category_path": taxonomy.path(best["category_id"]),
            "confidence": best["probability"],
            "decision": Decision.REVIEW,
        }
    failed = FAILED.fullmatch(row["error_detail"] or "")
    reason, detail = failed.groups() if failed else (Reason.CHANGED, "no model has seen the image")
    return row | {
        "category_id": None,
        "category_path": None,
        "confidence": None,
        "decision": Decision.ERROR,
        "error": reason,
        "error_detail": detail,
    }


def _decided(rows: Sequence[Row], decider: Decider) -> list[Row]:
    """Let a bundle's thresholds decide on the rows whose candidates are all its leaves."""
    column = {leaf: place for place, leaf in enumerate(decider.category_ids)}
    done = list(rows)
    for number, row in enumerate(rows):
        best = [(column.get(e["category_id"]), e["probability"]) for e in row["top_k"] or ()]
        if not best or None in dict(best):
            continue
        order = np.array([[place for place, _ in best[:TOP_K]]], np.int64)
        values = np.array([[probability for _, probability in best[:TOP_K]]], np.float32)
        (found,) = decider.decide_among(order, values).to_pylist()
        done[number] = row | found
    return done

"""Answers from elsewhere become annotations: each is taken, or it is said why not."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from lib.hashing import digest_json
from lib.labels.annotations import STANDING, Answer, newest_answers
from lib.review.said import REJECTED, Said
from lib.schemas import ANNOTATIONS_SCHEMA
from lib.taxonomy.ids import nfc
from lib.taxonomy.taxonomy import Taxonomy, some_of

IMPORT = "import"  # the value of `why`
# what keeps an answer from being taken, and what to do
REFUSED = {
    "gone": "{} of items that are not in the table",
    "version": "{} given in another version of the taxonomy; export the items again",
    "unknown": "{} naming no category of the taxonomy, by id, path or name",
    "several": "{} with a name that several categories have; give the id",
    "above": "{} naming a category that has others below it; choose one of those",
}
NOTED = {
    "before": "{} taken in before",
    "since": "{} naming a category that was split, of items that have an answer since",
    "changed": "{} about images that have changed since; kept, and their items are asked again",
}


@dataclass(frozen=True, kw_only=True)
class Import:
    """What answers of one file have in common.

    Attributes:
        taxonomy: of the table.
        by: who says what the file does not say who said.
        now: when it was said, where the file does not say it.
    """

    taxonomy: Taxonomy
    by: str
    now: datetime


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What becomes of answers.

    Attributes:
        annotations: to be appended, of `ANNOTATIONS_SCHEMA`.
        refused: how many were not taken, and were not there before.
        sentences: what a person should know of the others, one each.
    """

    annotations: pa.Table
    refused: int
    sentences: tuple[str, ...]


def take_answers(said: Sequence[Said], items: pa.Table, before: pa.Table, common: Import) -> Taken:
    """Compare answers with the table, and make annotations of those that can be taken.

    An answer has the same `annotation_id` at each reading, so the same file adds nothing when it is
    read again.

    Args:
        said: the answers.
        items: of `LABELS_SCHEMA`, the rows of the table that have these items; others may be there.
        before: of `ANNOTATIONS_SCHEMA`, what the table of annotations has.
        common: to all of them.
    """
    rows = {row["item_id"]: row for row in items.to_pylist()}
    known = set(before["annotation_id"].to_pylist())
    newest = newest_answers(before, common.taxonomy.version).to_pylist()
    answered = {(row["item_id"], _image(row)) for row in newest if row["answer"] in STANDING}
    words = _words(common.taxonomy)
    annotations: list[dict[str, Any]] = []
    kinds: dict[str, list[str]] = defaultdict(list)
    for each in said:
        row = rows.get(each.item_id)
        meant, category, fault = _meant(each, row, common.taxonomy, words)
        if fault:
            kinds[fault].append(each.answer if fault in {"unknown", "several"} else each.item_id)
            continue
        assert row is not None
        annotation = _annotation(each, row, (meant, category), common)
        if annotation["annotation_id"] in known:
            kinds["before"].append(each.item_id)
            continue
        if meant == Answer.SPLIT and (each.item_id, _image(annotation)) in answered:
            kinds["since"].append(each.item_id)
            continue
        known.add(annotation["annotation_id"])
        if _image(annotation) != _image(row):
            kinds["changed"].append(each.item_id)
        annotations.append(annotation)
    return Taken(
        annotations=pa.Table.from_pylist(annotations, schema=ANNOTATIONS_SCHEMA),
        refused=sum(len(kinds[kind]) for kind in REFUSED),
        sentences=tuple(
            _sentence(kind, kinds[kind], not_taken=kind in REFUSED)
            for kind in (*NOTED, *REFUSED)
            if kinds[kind]
        ),
    )


def _words(taxonomy: Taxonomy) -> Mapping[str, list[str]]:
    """Return the categories that a path, or a name in any case, may mean."""
    words: dict[str, list[str]] = defaultdict(list)
    for category in taxonomy.categories:
        for word in {taxonomy.path(category.category_id), category.name}:
            words[word.casefold()].append(category.category_id)
    return words


def _meant(
    said: Said,
    row: Mapping[str, Any] | None,
    taxonomy: Taxonomy,
    words: Mapping[str, list[str]],
) -> tuple[Answer, str | None, str]:
    """Return what an answer is in the table's taxonomy, its category, and what is wrong with it.

    What was said in the version before is what its category has become; where that is not certain,
    it is a question again.
    """
    if row is None:
        return Answer.REJECTED, None, "gone"
    replaces, answer = None, nfc(said.answer.strip())
    if said.taxonomy_version not in (None, taxonomy.version):
        replaces = taxonomy.replaces
        if replaces is None or said.taxonomy_version != replaces.version:
            return Answer.REJECTED, None, "version"
        news = replaces.becomes(answer)
        if len(news) != 1:
            return Answer.SPLIT, None, ""
        (answer,) = news
    meant = [answer] if answer in taxonomy.by_id else words.get(answer.casefold(), [])
    if not meant:
        asked_again = replaces is not None and replaces.added
        fault = "" if answer.casefold() == REJECTED else "unknown"
        return Answer.SPLIT if asked_again else Answer.REJECTED, None, fault
    if len(meant) > 1:
        leaves = [each for each in meant if each in taxonomy.leaves]
        if len(leaves) != 1:
            return Answer.CATEGORY, None, "several"
        meant = leaves
    return Answer.CATEGORY, meant[0], "" if meant[0] in taxonomy.leaves else "above"


def _annotation(
    said: Said, row: Mapping[str, Any], meant: tuple[Answer, str | None], common: Import
) -> dict[str, Any]:
    uri, etag = (said.uri, said.etag) if said.uri else (row["uri"], said.etag or row["etag"])
    answer, category = meant
    version = common.taxonomy.version
    told = [said.item_id, etag or uri, answer, category, version, said.by, said.key]
    return {
        "annotation_id": f"{IMPORT}-{digest_json(told)[:32]}",
        "item_id": said.item_id,
        "uri": uri,
        "etag": etag,
        "answer": answer,
        "category_id": category,
        "taxonomy_version": version,
        "by": said.by or common.by,
        "at": min(said.at or common.now, common.now),  # a clock that is fast is no newer answer
        "previous_category_id": row["category_id"],
        "previous_decision": row["decision"],
        "confidence": row["confidence"],
        "why": IMPORT,
    }


def _image(row: Mapping[str, Any]) -> str:
    """Return what tells the image, as `newest_answers` does."""
    return str(row["etag"] or row["uri"])


def _sentence(kind: str, whose: Sequence[str], *, not_taken: bool) -> str:
    count = f"{len(whose):,} answer{'s' * (len(whose) > 1)}"
    sentence = {**NOTED, **REFUSED}[kind].format(count)
    return f"{'not taken: ' * not_taken}{sentence}: {some_of(whose)}"

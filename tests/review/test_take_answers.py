"""Answers from elsewhere: each is taken once, or it is said why not."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from lib.labels.annotations import standing_answers
from lib.review.said import REJECTED, Said
from lib.review.take_answers import Import, Taken, take_answers
from lib.schemas import ANNOTATIONS_SCHEMA, LABELS_SCHEMA
from lib.taxonomy.taxonomy import parse_taxonomy
from tests.helpers.catalogs import TAXONOMY, label_rows

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
COMMON = Import(taxonomy=TAXONOMY, by="ann", now=NOW)
NONE = ANNOTATIONS_SCHEMA.empty_table()
ITEMS = label_rows(["a", "b", "c"])
ROWS = {row["item_id"]: row for row in ITEMS.to_pylist()}


def said(item_id: str = "a", answer: str = "skirt", **values: Any) -> Said:  # noqa: ANN401  # of any field
    row = ROWS.get(item_id, {"uri": f"s3://shop/{item_id}", "etag": "1"})
    given = {"uri": row["uri"], "etag": row["etag"], "key": "1", **values}
    return Said(item_id=item_id, answer=answer, **given)


def take(*answers: Said, before: pa.Table = NONE, common: Import = COMMON) -> Taken:
    return take_answers(answers, ITEMS, before, common)


def test_an_answer_becomes_an_annotation_that_stands() -> None:
    taken = take(said(), said("b", REJECTED))

    (first, second) = standing_answers(taken.annotations, "7").to_pylist()
    assert (first["item_id"], first["answer"], first["category_id"]) == ("a", "category", "skirt")
    assert (first["by"], first["at"], first["why"]) == ("ann", NOW, "import")
    assert first["previous_category_id"] == ROWS["a"]["category_id"]
    assert first["previous_decision"] == ROWS["a"]["decision"]
    assert first["confidence"] == ROWS["a"]["confidence"]
    assert (second["answer"], second["category_id"]) == ("rejected", None)
    assert (taken.refused, taken.sentences) == (0, ())


def test_the_file_may_say_who_and_when() -> None:
    then = datetime(2026, 11, 20, tzinfo=UTC)

    (row,) = take(said(by="bea@shop", at=then)).annotations.to_pylist()

    assert (row["by"], row["at"]) == ("bea@shop", then)


def test_a_clock_that_is_fast_makes_no_answer_of_tomorrow() -> None:
    (row,) = take(said(at=datetime(2027, 1, 1, tzinfo=UTC))).annotations.to_pylist()

    assert row["at"] == NOW


def test_the_same_file_adds_nothing_when_it_is_read_again() -> None:
    first = take(said(), said("b"))
    later = Import(taxonomy=TAXONOMY, by="bea", now=datetime.now(UTC))

    again = take(said(), said("b"), before=first.annotations, common=later)

    assert again.annotations.num_rows == 0
    assert again.sentences == ("2 answers taken in before: 'a', 'b'",)


def test_a_changed_mind_is_another_answer() -> None:
    first = take(said())

    assert take(said(answer="shirt"), before=first.annotations).annotations.num_rows == 1
    assert take(said(key="2"), before=first.annotations).annotations.num_rows == 1


@pytest.mark.parametrize(
    "answer", ["skirt", "Skirts", "skirts", " Skirts ", "Clothing > Bottoms > Skirts"]
)
def test_a_category_is_named_by_id_name_or_path(answer: str) -> None:
    assert take(said(answer=answer)).annotations["category_id"].to_pylist() == ["skirt"]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (said("z"), "not taken: 1 answer of items that are not in the table: 'z'"),
        (
            said(answer="hat"),
            "not taken: 1 answer naming no category of the taxonomy, by id, path or name: 'hat'",
        ),
        (
            said(answer="Tops"),
            "not taken: 1 answer naming a category that has others below it; choose one of those",
        ),
        (
            said(taxonomy_version="6"),
            "not taken: 1 answer given in another version of the taxonomy; export the items again",
        ),
    ],
    ids=["gone", "unknown", "above", "version"],
)
def test_what_cannot_be_taken_is_counted_and_said(answer: Said, sentence: str) -> None:
    taken = take(answer, said("b"))

    assert taken.annotations["item_id"].to_pylist() == ["b"]
    assert taken.refused == 1
    assert [each.startswith(sentence) for each in taken.sentences] == [True]


def test_a_name_that_several_categories_have_is_not_guessed() -> None:
    other = parse_taxonomy(
        "version: '7'\ncategories:\n"
        "- {id: m, name: Men, children: [{id: ms, name: Shoes}]}\n"
        "- {id: w, name: Women, children: [{id: ws, name: Shoes}]}\n",
        "t",
    )
    common = Import(taxonomy=other, by="ann", now=NOW)

    taken = take(said(answer="Shoes"), said("b", "Men > Shoes"), common=common)

    assert taken.annotations["category_id"].to_pylist() == ["ms"]
    assert "a name that several categories have; give the id: 'Shoes'" in taken.sentences[0]


def test_an_answer_about_an_image_that_has_changed_is_kept_of_the_old_image() -> None:
    taken = take(said(etag="old"))

    assert taken.annotations["etag"].to_pylist() == ["old"]
    assert taken.sentences == (
        "1 answer about images that have changed since; kept, and their items are asked again: 'a'",
    )
    assert taken.refused == 0


def test_a_file_that_does_not_say_which_image_is_about_the_one_of_the_table() -> None:
    (row,) = take(Said(item_id="a", answer="skirt", key="")).annotations.to_pylist()

    assert (row["uri"], row["etag"]) == (ROWS["a"]["uri"], ROWS["a"]["etag"])


def test_no_answers_are_no_annotations() -> None:
    assert take().annotations.schema == ANNOTATIONS_SCHEMA
    assert take_answers([], LABELS_SCHEMA.empty_table(), NONE, COMMON).sentences == ()


NEWER = parse_taxonomy(
    """\
version: "8"
replaces: {version: "7", renamed: {skirt: skirts}, split: {shoes: [boots, sandals]}}
categories: [{id: shirt}, {id: knitwear}, {id: trousers}, {id: skirts}, {id: boots}, {id: sandals}]
""",
    "new.yaml",
)


def test_an_answer_from_before_the_last_move_is_what_its_category_became() -> None:
    given = [
        said(answer=each, key=each, taxonomy_version="7")
        for each in ("skirt", "shirt", "shoes", REJECTED)
    ]
    taken = take(*given, common=Import(taxonomy=NEWER, by="ann", now=NOW))
    rows = taken.annotations.to_pylist()
    assert [(row["answer"], row["category_id"]) for row in rows] == [
        ("category", "skirts"), ("category", "shirt"), ("split", None), ("rejected", None),
    ]  # fmt: skip
    assert {row["taxonomy_version"] for row in rows} == {"8"}


def test_what_was_split_is_not_asked_again_of_an_item_that_has_an_answer_since() -> None:
    common = Import(taxonomy=NEWER, by="ann", now=NOW)
    since = take(said(answer="boots"), common=common).annotations
    taken = take(said(answer="shoes", taxonomy_version="7"), before=since, common=common)
    assert taken.annotations.num_rows == 0
    assert taken.sentences[0].endswith("of items that have an answer since: 'a'")

"""What people say takes the place of what the model says, and of nothing else."""

from typing import Any

import pyarrow as pa
import pytest

from lib.labels.annotations import Answer
from lib.labels.decisions import Decider
from lib.labels.people import Answers, respected, without_answers
from lib.schemas import LABELS_SCHEMA
from tests.helpers.answers import answer, table_of
from tests.helpers.catalogs import TAXONOMY, label_rows

OF_THE_MODEL = ("confidence", "top_k", "run_id", "classified_at", "bundle_digest", "name", "etag")


def laid_over(rows: pa.Table, *answers: dict[str, Any]) -> list[dict[str, Any]]:
    found = Answers(respected(table_of(*answers), TAXONOMY), TAXONOMY).lay_over(rows)
    assert found.schema.equals(LABELS_SCHEMA)
    rows_found: list[dict[str, Any]] = found.to_pylist()
    return rows_found


def test_a_persons_category_takes_the_place_of_the_models() -> None:
    rows = label_rows(["a", "b", "c"])

    found = laid_over(rows, answer("b", "trousers"))

    before = rows.to_pylist()
    said = {
        "category_id": "trousers",
        "category_path": "Clothing > Bottoms > Trousers",
        "decision": "person",
    }
    assert found == [before[0], before[1] | said, before[2]]


def test_a_category_above_the_leaves_is_an_answer_too() -> None:
    (found,) = laid_over(label_rows(["a"]), answer("a", "tops"))
    assert (found["category_id"], found["category_path"]) == ("tops", "Clothing > Tops")


def test_what_a_person_has_rejected_has_no_category_and_is_no_error() -> None:
    rows = label_rows(["a"])
    (found,) = laid_over(rows, answer("a", None))
    said = {"category_id": None, "category_path": None, "decision": "person"}
    assert found == rows.to_pylist()[0] | said


@pytest.mark.parametrize("category_id", ["shoes", None])
def test_an_answer_stands_where_the_image_fails_now(category_id: str | None) -> None:
    (found,) = laid_over(label_rows(["a"], broken=["a"]), answer("a", category_id))
    assert (found["category_id"], found["decision"], found["error"]) == (
        category_id,
        "person",
        None,
    )
    assert found["error_detail"] == "gone: a is not there (decided by a person)"
    assert found["confidence"] is found["top_k"] is None


def test_what_was_said_of_another_image_does_not_count() -> None:
    rows = label_rows(["a", "b"])
    others = answer("a", "shoes", etag="2"), answer("b", "shoes", etag=None)
    assert laid_over(rows, *others) == rows.to_pylist()


def test_without_etags_the_uri_tells_the_image() -> None:
    rows = label_rows(["a", "b"])
    rows = rows.set_column(2, LABELS_SCHEMA.field("etag"), pa.nulls(2, pa.string()))
    others = answer("a", "shoes", etag=None), answer("b", "shoes", etag=None, uri="s3://shop/c")
    assert [row["decision"] for row in laid_over(rows, *others)] == ["person", "accept"]


def test_ids_that_run_into_the_version_are_told_apart() -> None:
    rows = label_rows(["a", "a 1"])
    found = laid_over(rows, answer("a", "shoes", etag="1 1"))
    assert found == rows.to_pylist()


def test_what_is_asked_again_is_for_review_and_an_error_stays_one() -> None:
    rows = label_rows(["a", "b"], broken=["b"])
    split = [answer(each, None, answer=Answer.SPLIT) for each in ("a", "b")]
    before = rows.to_pylist()
    assert laid_over(rows, *split) == [before[0] | {"decision": "review"}, before[1]]


def test_what_was_taken_back_or_names_no_category_of_the_taxonomy_is_not_respected() -> None:
    rows = label_rows(["a", "b", "c"])
    answers = [
        answer("a", "shoes"),
        answer("a", None, 2, answer=Answer.WITHDRAWN),
        answer("b", "hat"),
        answer("c", "shoes", taxonomy_version="6"),
    ]
    assert laid_over(rows, *answers) == rows.to_pylist()


def test_rows_without_answers_are_not_touched() -> None:
    rows = label_rows(["a"])
    assert Answers(table_of(answer("b", "shoes")), TAXONOMY).lay_over(rows) is rows
    assert without_answers(rows, TAXONOMY) is rows


@pytest.mark.parametrize("category_id", ["shoes", None])
def test_a_row_without_its_answer_is_what_the_model_said_and_for_review(
    category_id: str | None,
) -> None:
    rows = label_rows(["a", "b", "c"])
    answered = pa.Table.from_pylist(laid_over(rows, answer("b", category_id)), LABELS_SCHEMA)

    found = without_answers(answered, TAXONOMY).to_pylist()

    before = rows.to_pylist()
    assert found == [before[0], before[1] | {"decision": "review"}, before[2]]


def test_a_row_without_its_answer_whose_image_failed_is_the_error_that_it_was() -> None:
    rows = label_rows(["a"], broken=["a"])
    answered = pa.Table.from_pylist(laid_over(rows, answer("a", "shoes")), LABELS_SCHEMA)
    assert without_answers(answered, TAXONOMY).to_pylist() == rows.to_pylist()


@pytest.mark.parametrize(("threshold", "decision"), [(0.7, "accept"), (0.8, "review")])
def test_thresholds_decide_on_a_row_without_its_answer(threshold: float, decision: str) -> None:
    rows = label_rows(["a"])
    answered = pa.Table.from_pylist(laid_over(rows, answer("a", None)), LABELS_SCHEMA)
    decider = Decider(taxonomy=TAXONOMY, category_ids=TAXONOMY.leaves, threshold=threshold)

    (found,) = without_answers(answered, TAXONOMY, decider).to_pylist()

    assert found == rows.to_pylist()[0] | {"decision": decision}

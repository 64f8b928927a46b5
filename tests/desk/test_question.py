"""A question says why it is asked, and an audit's says nothing of what was accepted."""

from typing import Any

from lib.desk.question import question_of
from tests.helpers.catalogs import TAXONOMY
from tests.helpers.questions import best_of, told

ITEM: dict[str, Any] = {
    "item_id": "a", "uri": "s3://shop/a", "etag": "2", "name": None, "error": None, "answer": None,
    "error_detail": None, "category_id": "shirt", "decision": "review",
    "top_k": best_of([0.9, 0.1]),
}  # fmt: skip


def why(*annotations: dict[str, Any], **changes: object) -> str:
    return question_of({**ITEM, **changes}, annotations, TAXONOMY).why


def test_a_question_about_an_accepted_item_is_the_same_as_about_one_for_review() -> None:
    accepted = {**ITEM, "decision": "accept", "category_id": "knitwear"}
    unsure = {**ITEM, "top_k": best_of([0.4, 0.39])}
    assert question_of(accepted, [], TAXONOMY) == question_of(unsure, [], TAXONOMY)


def test_what_the_model_would_say_is_named() -> None:
    assert why() == "The model would say Shirts, or else Knitwear. What is it?"
    assert why(top_k=best_of([0.6])) == "The model would say Shirts. What is it?"


def test_an_item_without_suggestions_says_so() -> None:
    assert why(top_k=None) == "The model has no suggestion."


def test_an_item_that_could_not_be_classified_says_why() -> None:
    assert why(error="gone", error_detail="it is not there").endswith(": it is not there")


def test_an_answer_about_the_image_before_counts_until_it_was_taken_back() -> None:
    before = told(ITEM, 20, etag="1")
    assert why(before) == "Its image changed since ann said Shirts."
    assert why(told(ITEM, 10, etag="1", answer="withdrawn"), before).startswith("The model")


def test_a_split_category_that_nobody_named_is_said_as_well() -> None:
    assert why(told(ITEM, answer="split"), answer="split") == (
        "Its category was split. Which part is it?"
    )


def test_suggestions_that_the_taxonomy_has_no_more_are_left_out() -> None:
    top_k = [{"category_id": "hat", "probability": 0.5}, *best_of([0.4])]
    found = question_of({**ITEM, "top_k": top_k}, [], TAXONOMY)
    assert [(each.name, each.above) for each in found.best] == [("Shirts", "Clothing > Tops")]
    assert found.title == "a"  # it has no name

"""A table that moves to another taxonomy takes people's answers along."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from lib.labels.annotations import Answer, annotations_of
from lib.labels.annotations_table import AnnotationsTable
from lib.labels.delta_table import LabelsTable
from pipelines.publish_answers import publish_answers
from tests.helpers.answers import give, of_row
from tests.helpers.catalogs import LOCAL
from tests.helpers.jobs import run_job
from tests.pipelines.test_backfill import ADDED, MERGED, PICTURES, RENAMED, SPLIT, Shop

MERGES = {"shoes": "footwear", "shirt": "wear", "tops": "wear", "skirt": "skirt"}

Row = dict[str, Any]


class AnsweredShop(Shop):
    """A shop in which a person answers."""

    @property
    def place(self) -> str:
        return annotations_of(self.table_uri)

    @property
    def ids(self) -> list[str]:
        """Items that the model has labelled."""
        return [row["item_id"] for row in self.rows(0).to_pylist() if row["category_id"]]

    @property
    def by_id(self) -> dict[str, Row]:
        return {row["item_id"]: row for row in self.rows().to_pylist()}

    def answer(self, item_id: str, category_id: str | None, number: int = 1, **values: Any) -> None:  # noqa: ANN401  # of any column
        give(self.place, of_row(self.by_id[item_id], category_id, number, **values))

    def show_answers(self) -> None:
        assert publish_answers(self.table_uri, self.place, LOCAL, "ann", print) is not None

    def labelled(self, *item_ids: str) -> list[tuple[str | None, str]]:
        rows = self.by_id
        return [(rows[each]["category_id"], rows[each]["decision"]) for each in item_ids]

    def carried(self) -> dict[str, Row]:
        rows = AnnotationsTable(self.place, LOCAL).newest("8").to_pylist()
        return {row["item_id"]: row for row in rows}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> AnsweredShop:
    shop = AnsweredShop(tmp_path_factory.mktemp("shop"))
    shop.prepare()
    return shop


@pytest.fixture
def shop(original: AnsweredShop) -> Iterator[AnsweredShop]:
    """The shop before anybody has answered: its images' paths are in its rows, so no copy."""
    kept = original.folder.parent / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(original.folder, kept)
    yield original
    shutil.rmtree(original.folder)
    kept.rename(original.folder)


def succeed(job: str, *arguments: str) -> str:
    result = run_job(job, *arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("shown", [False, True])
def test_answers_are_mapped_by_rule_in_the_table_and_beside_it(
    shop: AnsweredShop, *, shown: bool
) -> None:
    ids = shop.ids[: len(MERGES) + 1]
    for item_id, category_id in zip(ids, [*MERGES, None], strict=True):
        shop.answer(item_id, category_id)
    if shown:
        shop.show_answers()
    shutil.rmtree(shop.folder / "embeddings")  # rules need none

    said = succeed("backfill", shop.write(MERGED))

    assert shop.labelled(*ids) == [(new, "person") for new in [*MERGES.values(), None]]
    assert shop.by_id[ids[0]]["category_path"] == "Footwear"
    assert {row["taxonomy_version"] for row in shop.by_id.values()} == {"8"}
    carried = shop.carried()
    assert {each: carried[each]["category_id"] for each in ids} == {
        each: shop.by_id[each]["category_id"] for each in ids
    }
    assert {(row["why"], row["by"]) for row in carried.values()} == {("mapped", "ann")}
    assert "5 decided by people" in said
    history = LabelsTable(shop.table_uri, LOCAL).history()
    assert history[0].made.did.endswith("moved to taxonomy version 8; 5 decided by people")


def test_what_the_model_has_said_of_an_answered_item_goes_along(shop: AnsweredShop) -> None:
    item_id = shop.ids[0]
    succeed("backfill", shop.write(RENAMED), "--set", "run_id=without", "--no-publish")
    shop.answer(item_id, "skirt")
    shop.show_answers()

    succeed("backfill", shop.write(RENAMED), "--set", "run_id=with")

    parts = parquet.read_table(shop.folder / "runs/without/labels").to_pylist()
    (without,) = (row for row in parts if row["item_id"] == item_id)
    for column in ("confidence", "top_k"):
        assert shop.by_id[item_id][column] == without[column]


def test_an_item_whose_category_is_split_is_asked_again(shop: AnsweredShop) -> None:
    split, kept = shop.ids[:2]
    run_file = shop.write(SPLIT, labelled={"examples": shop.examples(**shop.shirts(8))})
    shop.answer(split, "shirt")
    shop.answer(kept, "shoes")
    shop.show_answers()

    succeed("backfill", run_file)

    rows = shop.by_id
    best = rows[split]["top_k"][0]["category_id"]
    assert rows[split]["decision"] == "review"
    assert rows[split]["category_id"] in {best, "tops", "clothing", "bottoms"}
    assert shop.labelled(kept) == [("shoes", "person")]
    asked = shop.carried()[split]
    assert (asked["answer"], asked["previous_category_id"]) == ("split", "shirt")
    # it stays a question however sure the model is, until somebody answers
    assert publish_answers(shop.table_uri, shop.place, LOCAL, "ann", print) is None
    shop.answer(split, "polo", 2)
    shop.show_answers()
    assert shop.labelled(split) == [("polo", "person")]


def test_rows_that_a_new_head_labels_keep_their_answers(shop: AnsweredShop) -> None:
    ids = [each for each in shop.ids if each in PICTURES]
    leaves = ("shirt", "knitwear", "trousers", "skirt", "shoes", "hat")
    labelled = {"examples": shop.examples(**{i: leaves[n % 6] for n, i in enumerate(ids[:36])})}
    answered, rejected = ids[-2:]
    shop.answer(answered, "skirt")
    shop.answer(rejected, None)

    succeed("backfill", shop.write(ADDED, labelled=labelled))

    # what is in no category may be in the one that is added
    assert shop.labelled(answered) == [("skirt", "person")]
    assert shop.by_id[rejected]["decision"] == "review"


def test_an_answer_on_an_image_that_failed_moves_and_is_an_error_again_where_it_is_split(
    shop: AnsweredShop,
) -> None:
    kept, split = [row["item_id"] for row in shop.rows(0).to_pylist() if row["error"]][:2]
    shop.answer(kept, "shoes")
    shop.answer(split, "shirt")
    shop.show_answers()
    before = shop.rows(0).to_pylist()

    run_file = shop.write(SPLIT, labelled={"examples": shop.examples(**shop.shirts(8))})
    succeed("backfill", run_file)

    assert shop.labelled(kept, split) == [("shoes", "person"), (None, "error")]
    (was,) = (row for row in before if row["item_id"] == split)
    for column in ("error", "error_detail"):
        assert shop.by_id[split][column] == was[column]


def test_a_backfill_that_is_resumed_respects_the_answers_of_its_plan(shop: AnsweredShop) -> None:
    first, second = shop.ids[:2]
    shop.answer(first, "shoes")
    run_file = shop.write(MERGED)
    succeed("backfill", run_file, "--no-publish")
    run = shop.folder / "runs/move"
    done = rows_of_run(run)
    # as if it had been killed before its second part
    for path in [run / "manifest.json", *(run / "labels").iterdir()]:
        path.unlink()
    shop.answer(first, None, 2, answer=Answer.WITHDRAWN)
    shop.answer(second, "skirt")

    succeed("backfill", run_file, "--no-publish")

    assert rows_of_run(run) == done


def test_what_is_answered_while_a_backfill_runs_is_taken_in_when_it_is_published(
    shop: AnsweredShop,
) -> None:
    taken_back, late, stays = shop.ids[:3]
    shop.answer(taken_back, "shoes")
    shop.answer(stays, "shoes")
    shop.show_answers()
    succeed("backfill", shop.write(MERGED), "--no-publish")
    shop.answer(taken_back, None, 2, answer=Answer.WITHDRAWN)
    shop.answer(late, "shirt")
    shop.show_answers()

    succeed("publish", str(shop.folder / "runs/move"))

    assert shop.labelled(late, stays) == [("wear", "person"), ("footwear", "person")]
    assert shop.by_id[taken_back]["decision"] != "person"


def test_a_rollback_brings_the_answers_of_the_old_taxonomy_back(shop: AnsweredShop) -> None:
    item_id = shop.ids[0]
    shop.answer(item_id, "shirt")
    shop.show_answers()
    succeed("backfill", shop.write(MERGED))
    rows = AnnotationsTable(shop.place, LOCAL).read().num_rows

    succeed("publish", str(shop.folder / "runs/move"), "--rollback", "1")
    assert shop.labelled(item_id) == [("shirt", "person")]
    shop.answer(item_id, "shoes", 2)
    succeed("backfill", shop.write(MERGED), "--set", "run_id=again")

    assert shop.labelled(item_id) == [("footwear", "person")]
    assert AnnotationsTable(shop.place, LOCAL).read().num_rows == rows + 2


def test_gates_measure_what_the_model_moves_and_not_what_people_do(shop: AnsweredShop) -> None:
    for item_id in shop.ids[:20]:
        category = shop.by_id[item_id]["category_id"]
        shop.answer(item_id, "shoes" if category != "shoes" else "skirt")
    gates = {"max_category_changes": 0, "max_mix_shift": 0, "max_error_rate": 0.2}

    succeed("backfill", shop.write(RENAMED, gates=gates))


def test_without_their_table_of_annotations_labels_of_people_are_not_moved(
    shop: AnsweredShop,
) -> None:
    shop.answer(shop.ids[0], "shoes")
    shop.show_answers()
    elsewhere = str(shop.folder / "elsewhere")

    result = run_job("backfill", shop.write(MERGED, annotations=elsewhere))

    assert result.exit_code == 2
    assert "1 label would be lost that people have decided" in result.stderr


def rows_of_run(run: Path) -> list[Row]:
    rows = parquet.read_table(run / "labels").drop_columns(["classified_at"]).sort_by("item_id")
    found: list[Row] = rows.to_pylist()
    return found

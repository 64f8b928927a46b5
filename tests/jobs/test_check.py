"""The command `check`, on photos whose embeddings are kept."""

import csv
from pathlib import Path

import pytest
from PIL import Image

from lib.errors import InputError
from tests.helpers.catalogs import folder_of
from tests.helpers.jobs import run_job, told_by
from tests.helpers.labelled_photos import (
    jpeg,
    keep_embeddings,
    photo,
    write_photos,
    write_run_file,
)

EACH = 12
Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of which some are wrong, each in one way."""
    folder = tmp_path_factory.mktemp("shop")
    photos, held_out = folder / "photos", folder / "held-out"
    write_photos(photos, EACH)
    write_photos(held_out, 3, first=500)
    (photos / "shirt" / "copy.jpg").write_bytes((photos / "shirt" / "003.jpg").read_bytes())
    (photos / "skirt" / "two.jpg").write_bytes((photos / "shoes" / "004.jpg").read_bytes())
    (photos / "trousers" / "near.jpg").write_bytes(jpeg(photo("trousers", 5), 60))
    (held_out / "shirt" / "leak.jpg").write_bytes((photos / "shirt" / "001.jpg").read_bytes())
    (photos / "knitwear" / "wrong.jpg").write_bytes(jpeg(photo("trousers", 900)))
    (photos / "shirt" / "note.jpg").write_text("no photo")
    (photos / "shirt" / "tiny.jpg").write_bytes(jpeg(photo("shirt", 901).resize((40, 40))))
    (photos / "shirt" / "long.png").write_bytes(jpeg(photo("shirt", 902).resize((800, 120))))
    (photos / "shoes" / "plain.jpg").write_bytes(jpeg(Image.new("RGB", (160, 160), "white")))
    for number in range(4, EACH):
        (photos / "skirt" / f"{number:03d}.jpg").unlink()
    held = {"uri": str(held_out), "labels": "folder"}
    write_run_file(folder, validation=held)
    keep_embeddings(folder, "photos", "held-out")
    return folder


@pytest.fixture(scope="module")
def found(shop: Path) -> Rows:
    before = folder_of(shop / "photos")

    result = run_job("check", str(shop / "train.yaml"), "--json")

    assert result.exit_code == 0, result.output
    told = told_by(result.stdout)
    assert (told["state"], told["items"]) == ("checked", told["usable"] + 1)
    assert folder_of(shop / "photos") == before
    run = Path(told["run"])
    page = (run / "report.html").read_text()
    assert page.count("data:image/jpeg") > 10
    with (run / "findings.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def of_kind(found: Rows, kind: str) -> set[tuple[str, str]]:
    return {(row["item_id"], row["other_item_id"]) for row in found if row["kind"] == kind}


def test_a_copy_names_the_photo_that_it_is_of(found: Rows) -> None:
    assert ("shirt/copy.jpg", "shirt/003.jpg") in of_kind(found, "copy")


def test_a_copy_of_another_quality_is_nearly_the_same(found: Rows) -> None:
    assert ("trousers/near.jpg", "trousers/005.jpg") in of_kind(found, "near_copy")


def test_one_photo_under_two_labels_names_both(found: Rows) -> None:
    (row,) = [row for row in found if row["kind"] == "two_labels" and "two" in row["item_id"]]

    assert (row["category_id"], row["other_category_id"]) == ("skirt", "shoes")


def test_a_held_out_copy_is_a_leak(found: Rows) -> None:
    exact = [row for row in found if row["score"] == "1.0000"]

    assert of_kind(exact, "leak") == {("shirt/leak.jpg", "shirt/001.jpg")}


def test_a_label_that_heads_disagree_with_looks_wrong(found: Rows) -> None:
    wrong = {item_id for item_id, _ in of_kind(found, "wrong_label")}

    assert "knitwear/wrong.jpg" in wrong


def test_what_cannot_be_decoded_says_why(found: Rows) -> None:
    (row,) = [row for row in found if row["kind"] == "unusable"]

    assert row["item_id"] == "shirt/note.jpg"
    assert row["detail"].startswith("not_an_image: ")


def test_small_long_and_plain_photos_are_named(found: Rows) -> None:
    assert of_kind(found, "tiny") == {("shirt/tiny.jpg", "")}
    assert of_kind(found, "odd") == {("shirt/long.png", ""), ("shoes/plain.jpg", "")}


def test_a_category_with_few_photos_says_how_many(found: Rows) -> None:
    (row,) = [row for row in found if row["kind"] == "few"]

    assert row["category_id"] == "skirt"
    assert "8 photos" in row["detail"]


def test_a_network_without_weights_cannot_compare_photos(shop: Path) -> None:
    result = run_job("check", str(shop / "train.yaml"), "--set", "model.weights=none")

    assert result.exit_code == InputError.exit_code
    assert result.stderr.startswith("error: model.weights: a check compares photos")
    assert len(result.stderr.splitlines()) == 1

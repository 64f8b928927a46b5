import re
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import Result

from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from tests.helpers.catalogs import LOCAL, make_bundle
from tests.helpers.jobs import run_job, told_by
from tests.helpers.searched import append, make_shop


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    make_shop(folder)
    return folder


@pytest.fixture
def shop(made: Path, tmp_path: Path) -> Path:
    """A shop of the test's own; the images lie where the table says."""
    for name in ("labels", "embeddings", "bundle"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path


def search(shop: Path, *arguments: str) -> Result:
    places = ["--labels-table", str(shop / "labels"), "--embeddings", str(shop / "embeddings")]
    return run_job("search", *arguments, *places)


def found(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [hit["item_id"] for hit in told_by(result.stdout)["hits"]]


def test_an_image_finds_its_own_item_first(made: Path, shop: Path) -> None:
    copied = shop / "photo-of-a-buyer.jpg"
    shutil.copy(made / "images/003.jpg", copied)

    said = search(shop, str(copied), "--top", "5", "--json")

    assert found(said)[0] == "003.jpg"
    first = told_by(said.stdout)["hits"][0]
    assert first["score"] == pytest.approx(1, abs=1e-3)
    assert first["category_path"] == "Clothing > Bottoms > Skirts"
    assert len(found(said)) == 5


def test_an_item_finds_others(shop: Path) -> None:
    said = search(shop, "003.jpg", "--json")

    assert len(found(said)) == 11
    assert "003.jpg" not in found(said)


def test_the_answer_is_the_same_with_an_index(shop: Path) -> None:
    before = search(shop, "003.jpg", "--json")
    run_job("index", str(shop / "embeddings"))
    after = search(shop, "003.jpg", "--json")

    assert "1 file of embeddings without an index" in before.stdout
    assert "without an index" not in after.stdout
    assert found(before) == found(after)


def test_category_decision_and_score_narrow_it_down(shop: Path) -> None:
    every = told_by(search(shop, "003.jpg", "--json").stdout)["hits"]
    skirts = {hit["item_id"] for hit in every if hit["category_path"].endswith("Skirts")}

    assert {*found(search(shop, "003.jpg", "--category", "skirt", "--json"))} == skirts
    assert {*found(search(shop, "003.jpg", "--category", "Bottoms", "--json"))} == skirts
    assert {*found(search(shop, "003.jpg", "--decision", "review", "--json"))} == skirts
    assert found(search(shop, "003.jpg", "--min-score", str(every[2]["score"]), "--json")) == [
        hit["item_id"] for hit in every[:3]
    ]


def test_the_table_fits_a_terminal(shop: Path) -> None:
    lines = search(shop, "003.jpg").stdout.splitlines()

    head = next(number for number, line in enumerate(lines) if line.lstrip().startswith("score"))
    assert len(lines[head + 1 :]) == 11
    assert all(len(line) <= 80 for line in lines[head:])
    assert re.fullmatch(r" [01]\.\d{3}  \d{3}\.\w+ .*(Skirts|Shirts) +(accept|review)", lines[-1])


def test_an_item_that_left_the_table_is_not_found(shop: Path) -> None:
    first, *_ = found(search(shop, "003.jpg", "--json"))
    table = LabelsTable(str(shop / "labels"), LOCAL)
    remove(table, first, shop)

    assert first not in found(search(shop, "003.jpg", "--json"))
    assert search(shop, first).exit_code == 2


def test_a_title_finds_what_is_called_so(shop: Path) -> None:
    names = shop / "names.csv"
    titles = {"003.jpg": "Striped shirt, long sleeves", "004.png": "Blue jeans", "005.webp": ""}
    rows = "".join(f'{item},{item},"{title}"\n' for item, title in titles.items())
    names.write_text(f"item_id,uri,name\n{rows}")

    said = search(shop, "--title", "STRIPED shirt", "--names", str(names), "--json")

    assert found(said) == ["003.jpg"]
    assert told_by(said.stdout)["hits"][0]["name"] == "Striped shirt, long sleeves"


def test_a_page_shows_the_pictures(shop: Path) -> None:
    page = shop / "found.html"

    said = search(shop, "003.jpg", "--top", "3", "--html", str(page))

    assert said.exit_code == 0, said.output
    assert page.read_text().count("data:image/jpeg;base64") == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing.jpg"], "neither an image, nor the id of an item"),
        (["--title", "shirt"], "no names of items are known here"),
        (["003.jpg", "--category", "skrit"], "did you mean 'skirt'?"),
        (["003.jpg", "--decision", "maybe"], "expected one of accept, parent, review"),
    ],
)
def test_what_cannot_be_asked_is_said(shop: Path, arguments: list[str], sentence: str) -> None:
    said = search(shop, *arguments)

    assert said.exit_code == 2
    assert sentence in said.stderr
    assert len(said.stderr.splitlines()) == 1


def test_a_query_that_is_no_image_is_said(shop: Path) -> None:
    text = shop / "notes.jpg"
    text.write_text("no picture at all")

    said = search(shop, str(text))

    assert said.exit_code == 2
    assert "notes.jpg: the bytes are not an image" in said.stderr


def test_embeddings_of_another_backbone_are_not_asked(shop: Path) -> None:
    other = make_bundle(str(shop / "other"), architecture="mobilenet_v3_small")

    said = search(shop, "003.jpg", "--bundle", str(shop / "other"))

    assert said.exit_code == 2
    assert f"of another backbone than that of {shop}/other" in said.stderr
    assert other.backbone_digest[:12] in said.stderr


def test_a_catalog_without_embeddings_is_said(shop: Path) -> None:
    shutil.rmtree(shop / "embeddings")

    said = search(shop, "003.jpg")

    assert said.exit_code == 2
    assert "there are no embeddings here; `reshelve embed RUN.yaml` makes them" in said.stderr


def test_a_table_of_items_without_embeddings_is_said(shop: Path) -> None:
    (store,) = (shop / "embeddings").iterdir()
    for file in store.glob("*.parquet"):
        file.unlink()
    append(shop / "embeddings", store.name, "strangers", 5)

    said = search(shop, "003.jpg")

    assert said.exit_code == 2
    assert "no item of the table has an embedding" in said.stderr


def test_no_table_is_said(shop: Path) -> None:
    said = run_job("search", "003.jpg", "--labels-table", str(shop / "nothing"))

    assert said.exit_code == 2
    assert "there is no labels table here" in said.stderr


def remove(table: LabelsTable, item_id: str, shop: Path) -> None:
    """Publish a night in which an item is gone."""
    removed = str(shop / "removed.parquet")
    parquet.write_table(pa.table({"item_id": [item_id]}), removed)
    table.publish(Change(run_id="later", base=table.version(), parts=[], removed=removed))


def test_of_names_that_hold_all_words_the_shortest_comes_first(shop: Path) -> None:
    names = shop / "names.csv"
    titles = {"003.jpg": "Striped shirt with long sleeves", "004.png": "Striped shirt"}
    rows = "".join(f'{item},{item},"{title}"\n' for item, title in titles.items())
    names.write_text(f"item_id,uri,name\n{rows}")

    said = search(shop, "--title", "shirt striped", "--names", str(names), "--json")

    assert found(said) == ["004.png", "003.jpg"]

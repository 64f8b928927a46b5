"""People's answers in and out, from the command line, on a real table."""

import csv
import io
import json
from pathlib import Path

import pytest

from lib.labels.annotations import standing_answers
from lib.labels.annotations_table import AnnotationsTable
from tests.helpers.catalogs import LOCAL
from tests.helpers.jobs import run_job, told_by
from tests.helpers.searched import make_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of twelve items: six are shirts, the other six are skirts for review."""
    folder = tmp_path_factory.mktemp("shop")
    make_shop(folder)
    return folder


def review(shop: Path, answers: Path, command: str, *arguments: str) -> tuple[int, str]:
    places = ["--labels-table", str(shop / "labels"), "--annotations", str(answers)]
    result = run_job("review", command, *arguments, *places)
    return result.exit_code, result.stdout + result.stderr


def sheet_of(shop: Path, folder: Path, *arguments: str) -> list[dict[str, str]]:
    target = folder / "sheet.csv"
    code, said = review(shop, folder / "answers", "export", str(target), *arguments)
    assert code == 0, said
    return list(csv.DictReader(io.StringIO(target.read_bytes().decode("utf-8-sig"))))


def fill_in(folder: Path, rows: list[dict[str, str]], **values: str) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows({**row, **values} for row in rows)
    (folder / "filled.csv").write_text(text.getvalue())
    return str(folder / "filled.csv")


def standing(folder: Path) -> dict[str, str | None]:
    found = standing_answers(AnnotationsTable(str(folder / "answers"), LOCAL).read(), "7")
    return dict(zip(found["item_id"].to_pylist(), found["category_id"].to_pylist(), strict=True))


def test_a_sheet_that_is_filled_in_becomes_answers_once(shop: Path, tmp_path: Path) -> None:
    rows = sheet_of(shop, tmp_path)
    assert len(rows) == 6
    assert {row["decision"] for row in rows} == {"review"}
    filled = fill_in(tmp_path, rows[:2], answer="Knitwear")

    code, said = review(shop, tmp_path / "answers", "import", filled, "--by", "bea")
    assert (code, "2 answers taken in" in said) == (0, True), said
    code, said = review(shop, tmp_path / "answers", "import", filled)

    assert (code, "0 answers taken in" in said) == (0, True), said
    assert "2 answers taken in before" in said
    assert standing(tmp_path) == {row["item_id"]: "knitwear" for row in rows[:2]}
    table = AnnotationsTable(str(tmp_path / "answers"), LOCAL).read()
    assert (table.num_rows, set(table["by"].to_pylist())) == (2, {"bea"})


def test_what_was_answered_is_not_asked_again(shop: Path, tmp_path: Path) -> None:
    rows = sheet_of(shop, tmp_path)
    review(shop, tmp_path / "answers", "import", fill_in(tmp_path, rows[:2], answer="rejected"))

    left = {row["item_id"] for row in sheet_of(shop, tmp_path)}

    assert left == {row["item_id"] for row in rows[2:]}
    assert len(sheet_of(shop, tmp_path, "--decision", "all")) == 12


def test_items_are_chosen_by_category_and_number(shop: Path, tmp_path: Path) -> None:
    below = sheet_of(shop, tmp_path, "--decision", "all", "--category", "tops")

    assert {row["category_id"] for row in below} == {"shirt"}
    assert len(sheet_of(shop, tmp_path, "--limit", "3", "--order", "random")) == 3
    kept = ["--decision", "all", "--embeddings", str(shop / "embeddings")]
    assert len(sheet_of(shop, tmp_path, *kept)) == 12


def test_label_studios_tasks_go_out_with_their_config_and_come_back(
    shop: Path, tmp_path: Path
) -> None:
    target = tmp_path / "tasks.json"
    code, said = review(shop, tmp_path / "answers", "export", str(target))
    assert code == 0, said
    assert (tmp_path / "tasks.xml").read_text().startswith("<View>")
    tasks = json.loads(target.read_text())
    for number, task in enumerate(tasks):
        task["annotations"] = [{"id": number, "result": task["predictions"][0]["result"]}]
    target.write_text(json.dumps(tasks))

    places = ["--labels-table", str(shop / "labels"), "--annotations", str(tmp_path / "answers")]
    result = run_job("review", "import", str(target), *places, "--json")

    told = told_by(result.stdout)
    assert (told["state"], told["answers"], told["refused"]) == ("imported", 6, 0)
    assert set(standing(tmp_path).values()) == {"skirt"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["export", "sheet.xlsx"], "sheet.xlsx: expected a name that ends in .csv, for a sheet, "),
        (["export", "a.csv", "--decision", "maybe"], "--decision maybe: expected one of accept, a"),
        (["export", "a.csv", "--category", "hat"], "--category hat: there is no such category in"),
        (["export", "a.csv", "--order", "best"], "--order best: expected one of helpful, unsure, "),
        (["import", "/none/sheet.csv"], "/none/sheet.csv: "),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    shop: Path, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    command, *rest = arguments

    code, said = review(shop, tmp_path / "answers", command, *rest)

    assert code == 2
    assert said.splitlines()[-1].startswith(f"error: {sentence}")
    assert not (tmp_path / "answers").exists()

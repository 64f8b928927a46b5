from pathlib import Path

import numpy as np
import pytest
from deltalake import DeltaTable
from typer.testing import Result

from lib.labels.decisions import Decision
from tests.helpers.jobs import run_job, told_by
from tests.helpers.searched import WIDTH, make_catalog, make_shop

ITEMS = 400


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of which one item in ten is striped, and another one is worn by a person."""
    folder = tmp_path_factory.mktemp("tagged")
    matrix = 2 + np.random.default_rng(1).normal(size=(ITEMS, WIDTH))
    matrix[0::10, :4] += 4
    matrix[1::10, 4:8] += 4
    make_catalog(folder, matrix.astype(np.float16))
    return folder


def tag(shop: Path, folder: Path, text: str, *arguments: str) -> Result:
    examples = folder / "examples.csv"
    examples.write_text(f"tag,item_id,holds\n{text}")
    places = ["--labels-table", str(shop / "labels"), "--embeddings", str(shop / "embeddings")]
    return run_job("tag", str(examples), *places, "--tags-table", str(folder / "tags"), *arguments)


def lines(name: str, numbers: range, holds: str = "yes") -> str:
    return "".join(f"{name},{number:05d},{holds}\n" for number in numbers)


STRIPED = lines("striped", range(0, 50, 10))
WORN = lines("worn", range(1, 51, 10))


def rows_of(folder: Path) -> dict[str, list[str]]:
    """Return the items of each tag, the most probable first."""
    table = DeltaTable(folder / "tags").to_pyarrow_table().sort_by([("probability", "descending")])
    found: dict[str, list[str]] = {}
    for row in table.to_pylist():
        found.setdefault(row["tag"], []).append(row["item_id"])
    return found


def test_what_is_like_the_examples_has_the_tag(made: Path, tmp_path: Path) -> None:
    said = tag(made, tmp_path, STRIPED + WORN, "--json")

    assert said.exit_code == 0, said.output
    found = rows_of(tmp_path)
    assert {*found} == {"striped", "worn"}
    for name, first in (("striped", 0), ("worn", 1)):
        true = {f"{number:05d}" for number in range(first, ITEMS, 10)}
        assert len({*found[name][:40]} & true) >= 28
    told = told_by(said.stdout)
    assert (told["state"], told["version"]) == ("tagged", 0)
    assert [each["tag"] for each in told["tags"]] == ["striped", "worn"]
    assert "striped: none accepted" in said.stdout


def test_examples_are_a_persons_answers(made: Path, tmp_path: Path) -> None:
    tag(made, tmp_path, STRIPED + lines("striped", range(2, 52, 10), "no"))

    rows = DeltaTable(tmp_path / "tags").to_pyarrow_table().to_pylist()
    given = {row["item_id"] for row in rows if row["decision"] == "person"}
    assert given == {f"{number:05d}" for number in range(0, 50, 10)}
    assert not {row["item_id"] for row in rows} & {f"{number:05d}" for number in range(2, 52, 10)}


def test_the_same_run_is_never_taken_twice(made: Path, tmp_path: Path) -> None:
    tag(made, tmp_path, STRIPED)

    again = tag(made, tmp_path, STRIPED, "--json")

    assert told_by(again.stdout)["version"] == 0
    assert "had these tags before" in again.stdout


def test_a_tag_takes_the_place_of_its_own_rows_alone(made: Path, tmp_path: Path) -> None:
    tag(made, tmp_path, STRIPED + WORN)
    before = rows_of(tmp_path)

    more = STRIPED + lines("striped", range(2, 52, 10), "no")
    said = tag(made, tmp_path, more, "--json")

    assert told_by(said.stdout)["version"] == 1
    assert rows_of(tmp_path)["worn"] == before["worn"]
    assert rows_of(tmp_path)["striped"] != before["striped"]


def test_many_examples_of_both_kinds_let_items_be_accepted(made: Path, tmp_path: Path) -> None:
    text = lines("striped", range(0, ITEMS - 50, 10)) + lines("striped", range(2, 350, 10), "no")

    said = tag(made, tmp_path, text, "--json")

    (told,) = told_by(said.stdout)["tags"]
    assert told["accepted"] > 0
    assert 0.8 < told["precision_low"] < told["precision_high"] <= 1
    rows = DeltaTable(tmp_path / "tags").to_pyarrow_table().to_pylist()
    accepted = [row for row in rows if row["decision"] == Decision.ACCEPT]
    assert len(accepted) == told["accepted"]


def test_examples_without_an_embedding_are_counted_and_too_few_are_refused(
    made: Path, tmp_path: Path
) -> None:
    said = tag(made, tmp_path, lines("odd", range(90_000, 90_005)))

    assert said.exit_code == 2
    assert "odd: 5 examples without an embedding" in said.stdout
    assert "the tag 'odd' has 0 examples with an embedding; at least 3" in said.stderr


def test_a_tag_with_one_example_is_refused(made: Path, tmp_path: Path) -> None:
    said = tag(made, tmp_path, "odd,00001,yes\n")

    assert said.exit_code == 2
    assert "the tag 'odd' has 1 example with an embedding; at least 3" in said.stderr
    assert not (tmp_path / "tags").exists()


def test_another_delta_table_is_not_written_to(made: Path, tmp_path: Path) -> None:
    said = tag(made, tmp_path, STRIPED, "--tags-table", str(made / "labels"))

    assert said.exit_code == 2
    assert "has no column 'tag', and is not a table of tags" in said.stderr


def test_a_report_shows_the_best_and_the_borderline(tmp_path: Path) -> None:
    make_shop(tmp_path, copies=8)
    page = tmp_path / "tags.html"
    text = "red,900.jpg,yes\nred,901.jpg,yes\nred,902.jpg,yes\n"

    said = tag(tmp_path, tmp_path, text, "--html", str(page))

    assert said.exit_code == 0, said.output
    assert "data:image/jpeg;base64" in page.read_text()
    assert "not known without counter-examples" in page.read_text()

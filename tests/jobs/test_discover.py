"""The command `discover`, on photos whose embeddings are kept."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from examples.demo_catalog.catalog import draw_catalog
from lib.batches import to_parquet
from lib.catalog.catalog import CatalogConfig, read_catalog
from lib.errors import InputError
from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from lib.taxonomy.taxonomy import parse_taxonomy
from tests.helpers import catalogs
from tests.helpers.jobs import run_job, told_by
from tests.helpers.labelled_photos import keep_embeddings

KINDS = ("chair", "dress", "bottle", "sunglasses", "trousers")
NEW = "sunglasses"
Truth = dict[str, str]  # category ids by item id


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn products with titles, and nothing that says what they are."""
    folder = tmp_path_factory.mktemp("shop")
    draw_catalog(folder / "drawn", items=260)
    with (folder / "items.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item_id", "uri", "name"])
        for row in drawn(folder):
            if row["category_id"] in KINDS:
                writer.writerow([row["item_id"], f"drawn/{row['uri']}", row["name"]])
    keep_embeddings(folder, "items.csv")
    return folder


def drawn(folder: Path) -> list[dict[str, str]]:
    """Return the rows of drawn products that have a category."""
    rows = []
    for name in ("catalog.csv", "labelled.csv"):
        with (folder / "drawn" / name).open(newline="") as file:
            rows += [row for row in csv.DictReader(file) if row["category_id"]]
    return rows


@pytest.fixture(scope="module")
def truth(shop: Path) -> Truth:
    return {row["item_id"]: row["category_id"] for row in drawn(shop)}


def ask(shop: Path, **keys: object) -> Path:
    run_file = shop / "discover.yaml"
    given: dict[str, Any] = {
        "output": str(shop / "runs"),
        "catalog": {"uri": str(shop / "items.csv")},
        "embeddings": str(shop / "embeddings"),
        **keys,
    }
    run_file.write_text(yaml.safe_dump(given))
    return run_file


def rows_of(run: str) -> list[dict[str, str]]:
    with (Path(run) / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def drafted(shop: Path) -> dict[str, Any]:
    result = run_job("discover", str(ask(shop, groups=len(KINDS))), "--json")
    assert result.exit_code == 0, result.output
    return told_by(result.stdout)


def test_groups_are_of_what_looks_alike_and_named_by_their_titles(
    drafted: dict[str, Any], truth: Truth
) -> None:
    assert (drafted["state"], drafted["groups"]) == ("discovered", len(KINDS))
    taxonomy = parse_taxonomy((Path(drafted["run"]) / "taxonomy.yaml").read_text(), "draft")
    labels = rows_of(drafted["run"])
    assert {row["category_id"] for row in labels} == {*taxonomy.leaves}
    right = 0
    for leaf in taxonomy.leaves:
        of_leaf = Counter(truth[r["item_id"]] for r in labels if r["category_id"] == leaf)
        right += max(of_leaf.values())
    assert right >= 0.8 * len(labels)
    names = " ".join(each.name.lower() for each in taxonomy.categories)
    assert sum(kind in names for kind in KINDS) >= len(KINDS) - 2


def test_the_report_shows_photos_of_each_group(drafted: dict[str, Any]) -> None:
    page = (Path(drafted["run"]) / "report.html").read_text()

    assert page.count("data:image/jpeg") >= 8 * len(KINDS)


@pytest.mark.processes
def test_the_draft_can_be_trained_on(shop: Path, drafted: dict[str, Any]) -> None:
    run_file = shop / "train.yaml"
    given = {
        "output": str(shop / "runs"),
        "taxonomy": f"{drafted['run']}/taxonomy.yaml",
        "catalog": {"uri": f"{drafted['run']}/labels.csv"},
        "embeddings": str(shop / "embeddings"),
        "strategy": "head",
        "reading": {"stores": ["/"]},
    }
    run_file.write_text(yaml.safe_dump(given))

    result = run_job("train", str(run_file), "--json")

    assert result.exit_code == 0, result.output
    assert told_by(result.stdout)["accuracy"] > 0.8


def test_with_a_table_what_fits_no_category_is_proposed(shop: Path, truth: Truth) -> None:
    items = read_catalog(CatalogConfig(uri=str(shop / "items.csv")), catalogs.LOCAL)
    known = [row for row in items.to_pylist() if truth[row["item_id"]] != NEW]
    rows = catalogs.label_rows([row["item_id"] for row in known])
    for name in ("uri", "etag"):
        place = rows.schema.get_field_index(name)
        column = pa.array([row[name] for row in known], pa.string())
        rows = rows.set_column(place, rows.schema.field(name), column)
    part = str(shop / "part.parquet")
    catalogs.LOCAL.write(part, to_parquet(rows))
    table = LabelsTable(str(shop / "labels"), catalogs.LOCAL)
    table.publish(Change(run_id="night", base=None, parts=[part], removed=None))

    result = run_job("discover", str(ask(shop, labels_table=str(shop / "labels"))), "--json")

    assert result.exit_code == 0, result.output
    told = told_by(result.stdout)
    assert {truth[row["item_id"]] for row in rows_of(told["run"])} == {NEW}
    assert "fit no category" in told["sentence"]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"labels_table": "none"}, "none: there is no labels table here"),
        ({"groups": 1_000}, "groups: 1000 are more than the "),
        ({"model": {"weights": "none"}}, "model.weights: groups are of what a network sees"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    shop: Path, keys: dict[str, object], said: str
) -> None:
    result = run_job("discover", str(ask(shop, **keys)))

    assert result.exit_code == InputError.exit_code
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {said}")


def test_a_bundle_of_another_backbone_has_no_embeddings_here(shop: Path) -> None:
    catalogs.make_bundle(str(shop / "bundle"), architecture="squeezenet1_1")

    result = run_job("discover", str(ask(shop, bundle=str(shop / "bundle"))))

    assert result.exit_code == InputError.exit_code
    assert "items has an embedding of this backbone here" in result.stderr

"""Another head labels a table anew, in its taxonomy, on the kept embeddings alone."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lib.backfill.head_bundle import carry_head, write_head_bundle
from lib.errors import GateError, InputError
from lib.labels.annotations import annotations_of
from lib.labels.delta_table import LabelsTable
from lib.models.bundle import Bundle, read_bundle
from lib.taxonomy.migration import migrate
from lib.taxonomy.taxonomy import parse_taxonomy
from pipelines.backfill import backfill
from pipelines.backfill_dry_run import estimate
from pipelines.backfill_inputs import BackfillRun
from pipelines.current_bundle import find_bundle
from tests.helpers.answers import give, of_row
from tests.helpers.catalogs import LOCAL, TAXONOMY_YAML
from tests.helpers.searched import make_shop
from tests.pipelines.test_backfill import ADDED

EVERY = {"max_category_changes": None, "max_mix_shift": None}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A classified catalog whose images are there no more, and a head that always says shoes."""
    make_shop(tmp_path, 20)
    shutil.rmtree(tmp_path / "images")
    old = read_bundle(str(tmp_path / "bundle"), LOCAL)
    write(tmp_path, old, TAXONOMY_YAML)
    return tmp_path


def write(shop: Path, old: Bundle, taxonomy_yaml: str) -> None:
    carried = carry_head(old, migrate([old.taxonomy]), LOCAL)
    bias = torch.zeros_like(carried.head.bias)
    bias[carried.head.rows.index("shoes")] = 100.0
    head = replace(carried.head, weight=torch.zeros_like(carried.head.weight), bias=bias)
    taxonomy = parse_taxonomy(taxonomy_yaml, "taxonomy.yaml")
    new = replace(carried, head=head)
    write_head_bundle(str(shop / "head" / "bundle"), LOCAL, old, new, taxonomy)


def config_of(shop: Path, **more: Any) -> BackfillRun:  # noqa: ANN401  # of any key
    return BackfillRun.model_validate(
        {
            "output": str(shop / "runs"),
            "bundle": "current",
            "head": str(shop / "head" / "bundle"),
            "labels_table": str(shop / "labels"),
            "embeddings": str(shop / "embeddings"),
            "gates": EVERY,
            **more,
        }
    )


def rows_of(shop: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table_of(shop).read().sort_by("item_id").to_pylist()
    return rows


def table_of(shop: Path) -> LabelsTable:
    return LabelsTable(str(shop / "labels"), LOCAL)


def test_all_rows_are_labelled_by_the_head_though_no_image_is_there(shop: Path) -> None:
    answered = rows_of(shop)[0]
    give(annotations_of(str(shop / "labels")), of_row(answered, "skirt"))
    backfill(config_of(shop), lambda _: None)
    head, newest = read_bundle(str(shop / "head" / "bundle"), LOCAL), table_of(shop).history()[0]
    rows = rows_of(shop)
    assert (rows[0]["category_id"], rows[0]["decision"]) == ("skirt", "person")
    assert {row["category_id"] for row in rows[1:]} == {"shoes"}
    assert {row["bundle_digest"] for row in rows} == {head.digest}
    assert (newest.made.bundle, newest.made.bundle_digest) == (head.uri, head.digest)
    assert "20 rows labelled anew by another head" in newest.made.did
    assert find_bundle("current", table_of(shop), LOCAL).digest == head.digest


def test_each_row_that_moves_counts_to_the_gates(shop: Path) -> None:
    before = rows_of(shop)
    with pytest.raises(GateError, match="max_category_changes"):
        backfill(config_of(shop, gates={"max_category_changes": 0.1}), lambda _: None)
    assert rows_of(shop) == before


def test_the_head_before_is_current_again_after_a_rollback(shop: Path) -> None:
    before = rows_of(shop)
    backfill(config_of(shop), lambda _: None)
    table_of(shop).roll_back(0, "ann")
    assert rows_of(shop) == before
    assert find_bundle("current", table_of(shop), LOCAL).uri == str(shop / "bundle")


def test_a_dry_run_counts_the_rows_and_writes_nothing(shop: Path) -> None:
    said: list[str] = []
    estimate(config_of(shop), said.append)
    assert "20 by the model on their embeddings" in " ".join(said)
    assert not (shop / "runs").exists()


def test_a_head_of_another_taxonomy_is_refused(shop: Path) -> None:
    shutil.rmtree(shop / "head")
    write(shop, read_bundle(str(shop / "bundle"), LOCAL), TAXONOMY_YAML.replace('"7"', '"8"'))
    with pytest.raises(InputError, match="fit a head on that"):
        backfill(config_of(shop), lambda _: None)


def test_an_added_category_says_that_the_others_need_the_old_training(shop: Path) -> None:
    (shop / "new.yaml").write_text(ADDED)
    config = config_of(shop, head=None, taxonomy=str(shop / "new.yaml"))
    with pytest.raises(InputError, match=r"as labelled\.catalog in the backfill's run file"):
        estimate(config, lambda _: None)


@pytest.mark.parametrize("more", [{"taxonomy": "new.yaml"}, {"head": None}])
def test_a_run_file_names_either_a_taxonomy_or_a_head(tmp_path: Path, more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give either taxonomy"):
        config_of(tmp_path, **more)

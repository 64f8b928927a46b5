from pathlib import Path

import pytest

from lib.catalog.catalog import CatalogConfig
from lib.catalog.sample import sample_catalog
from lib.errors import InputError
from lib.schemas import ITEM_SCHEMA
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage

STORAGE = Storage(StorageConfig())


def write(path: Path, names: list[str]) -> CatalogConfig:
    rows = ["item_id,uri,category_id", *(f"{name},/{name}.jpg,hat" for name in names)]
    path.write_text("\n".join(rows) + "\n")
    return CatalogConfig(uri=str(path))


def test_a_sample_is_the_same_in_whatever_order_the_catalog_comes(tmp_path: Path) -> None:
    names = [f"{number:03d}" for number in range(300)]
    first = sample_catalog(write(tmp_path / "a.csv", names), STORAGE, 20)
    second = sample_catalog(write(tmp_path / "b.csv", names[::-1]), STORAGE, 20)
    assert first.num_rows == 20
    assert first.equals(second)
    assert first["item_id"].to_pylist() != names[:20]


def test_a_larger_catalog_keeps_those_of_the_sample_that_no_new_item_displaces(
    tmp_path: Path,
) -> None:
    names = [f"{number:03d}" for number in range(330)]
    few = sample_catalog(write(tmp_path / "a.csv", names[:300]), STORAGE, 50)
    more = sample_catalog(write(tmp_path / "b.csv", names), STORAGE, 50)
    displaced = set(few["item_id"].to_pylist()) - set(more["item_id"].to_pylist())
    assert 0 < len(displaced) < 15


def test_labels_are_not_looked_at(tmp_path: Path) -> None:
    found = sample_catalog(write(tmp_path / "a.csv", ["a", "b"]), STORAGE, 5)
    assert found.schema == ITEM_SCHEMA
    assert found["category_id"].null_count == 2


def test_images_that_are_left_out_are_not_in_it(tmp_path: Path) -> None:
    catalog = write(tmp_path / "a.csv", ["a", "b", "c"])
    found = sample_catalog(catalog, STORAGE, 5, {"/b.jpg"})
    assert found["item_id"].to_pylist() == ["a", "c"]
    assert sample_catalog(catalog, STORAGE, 5, {"/a.jpg", "/b.jpg", "/c.jpg"}).num_rows == 0


def test_an_item_without_a_uri_is_refused_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("item_id,uri\na,/a.jpg\nb,\n")
    with pytest.raises(InputError, match=r"a\.csv: item 2 has no uri"):
        sample_catalog(CatalogConfig(uri=str(tmp_path / "a.csv")), STORAGE, 5)

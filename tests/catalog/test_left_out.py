"""What lies in a catalog's place and is no item is counted, once, and said."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lib.catalog.catalog import CatalogConfig, read_catalog
from lib.catalog.left_out import LeftOut, left_out_sentence
from lib.storage.uris import join
from tests.conftest import MOTO_PAGE, Bucket
from tests.helpers.catalogs import LOCAL


def left_out(uri: str, **options: Any) -> Mapping[str, int]:  # noqa: ANN401  # whatever the model takes
    found = LeftOut()
    read_catalog(CatalogConfig(uri=uri, **options), LOCAL, found)
    return found.counts


def fill(prefix: str, names: list[str]) -> None:
    for name in names:
        LOCAL.write(join(prefix, name), b"x")


def test_files_that_are_no_images_are_counted_by_suffix_in_every_store(prefix: str) -> None:
    fill(prefix, ["a.jpg", "a.HEIC", "x/b.heic", "x/notes.txt", "x/LICENSE", ".DS_Store"])

    assert left_out(prefix) == {
        ".heic": 2,
        ".txt": 1,
        "file without a suffix": 1,
        "hidden file": 1,
    }


def test_hidden_files_are_counted_where_all_others_are_taken(prefix: str) -> None:
    fill(prefix, ["a.jpg", "b", "x/.c.jpg"])
    assert left_out(prefix, suffixes=["*"]) == {"hidden file": 1}


def test_hidden_folders_are_counted_and_not_entered_where_folders_are(tmp_path: Path) -> None:
    fill(str(tmp_path), ["a.jpg", ".trash/b.jpg", ".trash/c.jpg"])
    assert left_out(str(tmp_path)) == {"hidden folder": 1}


def test_a_bucket_has_no_folders_and_every_hidden_key_is_counted(s3: Bucket) -> None:
    fill(s3.uri, ["a.jpg", ".trash/b.jpg", ".trash/c.jpg"])
    assert left_out(s3.uri) == {"hidden file": 2}


def test_linked_folders_are_counted_and_not_followed(tmp_path: Path) -> None:
    fill(str(tmp_path), ["shop/a.jpg", "shop/hat/b.jpg", "other/c.jpg"])
    (tmp_path / "shop" / "other").symlink_to(tmp_path / "other")
    (tmp_path / "shop" / "hat" / "loop").symlink_to(tmp_path / "shop")
    (tmp_path / "shop" / "gone").symlink_to(tmp_path / "none")

    assert left_out(str(tmp_path / "shop")) == {"linked folder": 2, "broken link": 1}


def test_keys_of_a_page_that_is_listed_twice_are_counted_once(s3: Bucket) -> None:
    names = [f"p{number:04}.{'heic' if number % 2 else 'jpg'}" for number in range(6 * MOTO_PAGE)]
    hidden = [f"p{number:04}/.hidden" for number in range(0, 6 * MOTO_PAGE, 3)]
    with ThreadPoolExecutor(8) as pool:
        # empty objects make pages that are listed again, exactly
        list(pool.map(lambda name: s3.put(name, b"" if name.endswith("0.jpg") else b"x"), names))
        list(pool.map(lambda name: s3.put(name, b"x"), hidden))

    assert left_out(s3.uri) == {".heic": 3 * MOTO_PAGE, "hidden file": 2 * MOTO_PAGE}


def test_markers_of_folders_are_not_counted(s3: Bucket) -> None:
    names = [f"p{number:04}.jpg" for number in range(4 * MOTO_PAGE)]
    for name in names:
        s3.put(name, b"x")
    for number in range(0, 4 * MOTO_PAGE, 5):
        s3.put(f"p{number:04}/", b"")
    assert left_out(s3.uri) == {}


def test_kinds_beyond_count_are_told_together(tmp_path: Path) -> None:
    fill(str(tmp_path), ["a.jpg", *(f"b.{number}" for number in range(300)), "c." + "x" * 100])
    counts = left_out(str(tmp_path))
    assert sum(counts.values()) == 301
    assert len(counts) <= 101
    assert left_out_sentence(counts).startswith("left out: 2")


def test_what_was_left_out_is_one_line_with_folders_first() -> None:
    counts = {".heic": 1, "linked folder": 2, "hidden folder": 1, "file without a suffix": 1_200}
    assert left_out_sentence(counts) == (
        "left out: 2 linked folders (not followed), 1 hidden folder, "
        "1,200 files without a suffix, 1 .heic"
    )
    assert left_out_sentence({}) == ""


@pytest.mark.parametrize("suffixes", [[".JPG"], ["jpg"], ["*.jpg"], ["jpg", ".jpg"]])
def test_a_suffix_is_the_same_however_it_is_written(prefix: str, suffixes: list[str]) -> None:
    fill(prefix, ["a.jpg", "b.JPG", "c.png"])
    assert left_out(prefix, suffixes=suffixes) == {".png": 1}


@pytest.mark.parametrize("suffix", ["a*.jpg", "tar.gz", "img/jpg", "[jJ]pg"])
def test_a_suffix_that_no_file_name_ends_in_is_refused(suffix: str) -> None:
    with pytest.raises(ValidationError, match="should hold ends of file names"):
        CatalogConfig(uri="shop", suffixes=(suffix,))

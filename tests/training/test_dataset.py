import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

import lib.training.dataset
from lib.images.config import ReadingConfig
from lib.images.decode import decode
from lib.images.formats import DecodeLimits
from lib.images.preparer import Preparer
from lib.images.preprocessing import Preprocessing
from lib.images.resize import resize
from lib.schemas import ITEM_SCHEMA
from lib.storage.config import StorageConfig
from lib.training.dataset import LabelledPixels, load_pixels

PREPROCESSING = Preprocessing(size_px=24, fit="pad", mean=(0, 0, 0), std=(1, 1, 1))
CATEGORIES = ("hat", "boot", "vest")


def draw(folder: Path, count: int = 12) -> pa.Table:
    """Write images of noise, every fourth of them no image at all, and one of them gone."""
    rows = []
    for number in range(count):
        path = folder / f"{number:02d}.png"
        pixels = np.random.default_rng(number).integers(0, 256, (30, 20 + number, 3), np.uint8)
        Image.fromarray(pixels).save(path)
        if number % 4 == 3:
            path.write_bytes(b"<!doctype html>")
        rows.append(
            {
                "item_id": f"item-{number}",
                "uri": str(path),
                "category_id": CATEGORIES[number % 3],
            }
        )
    (folder / "05.png").unlink()
    return pa.Table.from_pylist(rows, schema=ITEM_SCHEMA)


def load(items: pa.Table, threads: int = 4) -> LabelledPixels:
    preparer = Preparer(PREPROCESSING, ReadingConfig(threads=threads), StorageConfig())
    return load_pixels(items, CATEGORIES, PREPROCESSING.size_px, preparer)


def assert_same(one: LabelledPixels, other: LabelledPixels) -> None:
    assert torch.equal(one.pixels, other.pixels)
    assert torch.equal(one.targets, other.targets)
    assert one.item_ids == other.item_ids
    assert one.unusable == other.unusable


def test_unusable_items_are_left_out_and_reported(tmp_path: Path) -> None:
    loaded = load(draw(tmp_path))
    assert [(each.item_id, each.code) for each in loaded.unusable] == [
        ("item-3", "not_an_image"),
        ("item-5", "gone"),
        ("item-7", "not_an_image"),
        ("item-11", "not_an_image"),
    ]
    assert loaded.item_ids == [f"item-{number}" for number in (0, 1, 2, 4, 6, 8, 9, 10)]
    assert all(each.uri.startswith(str(tmp_path)) and each.detail for each in loaded.unusable)


def test_pixels_and_targets_are_those_of_their_items(tmp_path: Path) -> None:
    items = draw(tmp_path)
    uris = dict(zip(items["item_id"].to_pylist(), items["uri"].to_pylist(), strict=True))
    loaded = load(items)
    assert loaded.pixels.dtype == torch.uint8
    assert len(loaded.pixels) == len(loaded.targets) == len(loaded.item_ids)
    for item_id, pixels, target in zip(loaded.item_ids, loaded.pixels, loaded.targets, strict=True):
        decoded = decode(Path(uris[item_id]).read_bytes(), DecodeLimits())
        assert np.array_equal(pixels.numpy(), resize(decoded, PREPROCESSING))
        assert int(target) == int(item_id.removeprefix("item-")) % 3


def test_a_scratch_file_holds_the_same_pixels_as_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = draw(tmp_path)
    in_memory = load(items)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.setattr(lib.training.dataset, "MEMORY_SHARE", 0)
    in_file = load(items)
    if sys.platform == "linux":
        assert f"{scratch}/" in Path("/proc/self/maps").read_text()
    assert_same(in_memory, in_file)
    assert list(scratch.iterdir()) == []


def test_the_number_of_threads_changes_nothing(tmp_path: Path) -> None:
    items = draw(tmp_path)
    assert_same(load(items, threads=1), load(items, threads=16))


def test_where_nothing_can_be_read_all_is_reported(tmp_path: Path) -> None:
    items = draw(tmp_path)
    for path in tmp_path.iterdir():
        path.unlink()
    loaded = load(items)
    assert loaded.pixels.shape == (0, 3, 24, 24)
    assert loaded.targets.shape == (0,)
    assert {each.code for each in loaded.unusable} == {"gone"}
    assert len(loaded.unusable) == 12


def test_no_items_give_an_empty_array() -> None:
    loaded = load(ITEM_SCHEMA.empty_table())
    assert loaded.pixels.shape == (0, 3, 24, 24)
    assert loaded.unusable == []

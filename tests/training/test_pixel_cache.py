import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lib.images.config import ReadingConfig
from lib.images.preparer import Prepared, Preparer
from lib.images.preprocessing import Preprocessing
from lib.reasons import Reason
from lib.storage.config import StorageConfig
from lib.training import pixel_cache
from lib.training.pixel_cache import MOST_BYTES, CachingPreparer
from tests.helpers.gloo import Workers

PREPROCESSING = Preprocessing(size_px=16, fit="pad", mean=(0, 0, 0), std=(1, 1, 1))
READING = ReadingConfig(threads=4)
FILE_BYTES = 32 + 3 * 16 * 16
COUNT = 12


class Album:
    """Photos on disk, each at a version as listings have it, and a cache folder of its own."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.cache = folder, cache
        self.uris = [self.draw(number) for number in range(COUNT)]

    def draw(self, number: int, seed: int = 0) -> str:
        path = self.folder / f"{number:02d}.png"
        pixels = np.random.default_rng([seed, number]).integers(0, 256, (20, 30, 3), np.uint8)
        Image.fromarray(pixels).save(path)
        return str(path)

    @property
    def etags(self) -> list[str | None]:
        found = [Path(uri).stat() for uri in self.uris]
        return [f"{each.st_size}-{each.st_mtime}" for each in found]

    @property
    def kept(self) -> list[Path]:
        return [path for path in self.cache.rglob("*") if path.is_file()]

    def prepare(
        self,
        preprocessing: Preprocessing = PREPROCESSING,
        reading: ReadingConfig = READING,
        *,
        etags: list[str | None] | None = None,
        workers: int = 1,
        most_bytes: int = MOST_BYTES,
    ) -> list[Prepared]:
        """Prepare all photos as a worker of a new training would."""
        preparer = CachingPreparer(preprocessing, reading, StorageConfig(), workers, most_bytes)
        return [*preparer.stream(self.uris, self.etags if etags is None else etags)]

    def decode(self, preprocessing: Preprocessing = PREPROCESSING) -> Tensor:
        preparer = Preparer(preprocessing, READING, StorageConfig())
        return pixels_of([*preparer.stream(self.uris, self.etags)])

    def lose(self) -> list[str | None]:
        """Remove all photos; return the versions that they had."""
        etags = self.etags
        for uri in self.uris:
            Path(uri).unlink()
        return etags


def pixels_of(prepared: list[Prepared]) -> Tensor:
    assert [each.error for each in prepared] == [None] * len(prepared)
    found = [each.pixels for each in prepared if each.pixels is not None]
    return torch.from_numpy(np.stack(found))


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Album:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "photos"
    folder.mkdir()
    return Album(folder, tmp_path / "cache")


def test_a_second_training_reads_no_photo_and_has_the_same_pixels(album: Album) -> None:
    expected = album.decode()
    first = pixels_of(album.prepare())
    etags = album.lose()

    assert torch.equal(pixels_of(album.prepare(etags=etags)), first)
    assert torch.equal(first, expected)
    assert {path.stat().st_size for path in album.kept} == {FILE_BYTES}


def test_a_photo_that_has_changed_is_decoded_anew_and_the_others_are_not(album: Album) -> None:
    before = pixels_of(album.prepare())
    album.draw(3, seed=1)
    expected, etags = album.decode(), album.etags
    for uri in album.uris[4:]:
        Path(uri).unlink()

    found = pixels_of(album.prepare(etags=etags))

    assert torch.equal(found, expected)
    assert [n for n in range(COUNT) if not torch.equal(found[n], before[n])] == [3]


def test_photos_without_a_version_are_not_kept(album: Album) -> None:
    assert torch.equal(pixels_of(album.prepare(etags=[None] * COUNT)), album.decode())
    assert album.kept == []


def test_what_cannot_be_read_is_not_kept(album: Album) -> None:
    Path(album.uris[0]).write_bytes(b"<!doctype html>")
    etags = album.etags
    for _ in range(2):
        first, *others = album.prepare(etags=etags)
        assert first.error
        assert first.error.reason == Reason.NOT_AN_IMAGE
        pixels_of(others)
    assert len(album.kept) == COUNT - 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda data, _: data[:-1],
        lambda data, _: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data, _: bytes([data[0] ^ 1]) + data[1:],
        lambda data, _: data + b"\0",
        lambda _, other: other,
        lambda *_: b"",
    ],
    ids=["short", "a bit of a pixel", "a bit of the digest", "long", "another's", "empty"],
)
def test_a_damaged_file_is_never_taken_and_made_again(
    album: Album, damage: Callable[[bytes, bytes], bytes]
) -> None:
    expected = pixels_of(album.prepare())
    whole = {path: path.read_bytes() for path in album.kept}
    one, other = album.kept[:2]
    one.write_bytes(damage(whole[one], whole[other]))

    assert torch.equal(pixels_of(album.prepare()), expected)
    assert {path: path.read_bytes() for path in album.kept} == whole


@pytest.mark.parametrize("change", [{"size_px": 24}, {"fit": "crop"}])
def test_pixels_of_another_preprocessing_are_not_taken(
    album: Album, change: dict[str, object]
) -> None:
    album.prepare()
    other = PREPROCESSING.model_copy(update=change)
    assert torch.equal(pixels_of(album.prepare(other)), album.decode(other))


def test_pixels_of_another_decoder_are_not_taken(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    album.prepare()
    monkeypatch.setattr(pixel_cache, "version", lambda _: "another")
    assert {each.error and each.error.reason for each in album.prepare(etags=album.lose())} == {
        Reason.GONE
    }


@pytest.mark.parametrize(
    ("reading", "reason"),
    [
        ({"max_image_pixels": 500}, Reason.TOO_LARGE),
        ({"max_image_bytes": 500}, Reason.TOO_LARGE),
        ({"stores": ("s3://",)}, Reason.OUTSIDE_STORE),
    ],
)
def test_what_a_run_file_refuses_stays_refused_though_its_pixels_are_kept(
    album: Album, reading: dict[str, object], reason: Reason
) -> None:
    album.prepare()
    stricter = READING.model_copy(update=reading)
    errors = [each.error for each in album.prepare(reading=stricter)]
    assert {each and each.reason for each in errors} == {reason}


def test_what_was_used_longest_ago_makes_room(album: Album) -> None:
    album.prepare()
    used = album.kept
    for age, path in enumerate(used):
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    other = PREPROCESSING.model_copy(update={"fit": "crop"})

    album.prepare(other, most_bytes=(COUNT + 4) * FILE_BYTES)

    assert len(album.kept) == COUNT + 4
    assert [path for path in used if path.exists()] == used[:4]


def test_of_more_photos_than_there_is_room_for_the_first_stay(album: Album) -> None:
    room_bytes = 8 * FILE_BYTES
    for _ in range(2):
        found = album.prepare(workers=2, most_bytes=room_bytes)
        assert torch.equal(pixels_of(found), album.decode())
    assert 4 <= len(album.kept) <= 8
    found = album.prepare(etags=album.lose(), workers=2, most_bytes=room_bytes)
    # which threads are first differs a little from time to time
    assert sum(each.error is None for each in found) >= 4


def test_a_folder_that_takes_no_files_costs_only_time(album: Album) -> None:
    album.cache.write_bytes(b"")
    for _ in range(2):
        assert torch.equal(pixels_of(album.prepare()), album.decode())


def test_only_the_person_can_look_at_the_photos(album: Album) -> None:
    album.prepare()
    assert album.kept[0].parent.stat().st_mode & 0o777 == 0o700


def _prepare_often(uris: list[str], etags: list[str | None], most_bytes: int) -> list[Tensor]:
    found = []
    for _ in range(10):
        preparer = CachingPreparer(PREPROCESSING, READING, StorageConfig(), 1, most_bytes)
        found.append(pixels_of([*preparer.stream(uris, etags)]))
    return found


@pytest.mark.processes
def test_workers_that_keep_and_make_room_at_once_disturb_nobody(album: Album) -> None:
    expected = album.decode()
    workers = Workers(2)
    try:
        found = workers.run(2, _prepare_often, album.uris, album.etags, 5 * FILE_BYTES)
    finally:
        workers.close()
    for each in found:
        assert isinstance(each, list), each
        assert all(torch.equal(pixels, expected) for pixels in each)
    assert len(album.kept) <= 6

"""What threads of one process decode at once is bounded by pixels."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL.ImageFile import ImageFile

from lib.images.budget import PixelBudget
from lib.images.config import ReadingConfig
from lib.images.formats import DecodeLimits, read_image
from lib.images.jpeg import Pixels
from lib.images.preparer import Prepared, Preparer
from lib.images.preprocessing import Preprocessing
from lib.storage.config import StorageConfig
from tests.helpers import catalogs
from tests.helpers.pictures import drawn, encode


class Seen:
    """Decodes to one pixel, slowly, and notes how many pixels were under way at once."""

    def __init__(self, seconds: float) -> None:
        self.most = self._now = 0
        self._seconds, self._lock = seconds, threading.Lock()

    def __call__(self, data: bytes, limits: DecodeLimits, _seen: Preprocessing) -> Pixels:
        return read_image(data, limits, self._take)

    def _take(self, image: ImageFile, _data: bytes) -> Pixels:
        pixels = image.width * image.height
        with self._lock:
            self._now += pixels
            self.most = max(self.most, self._now)
        time.sleep(self._seconds)
        with self._lock:
            self._now -= pixels
        return np.zeros((3, 1, 1), np.uint8)


def prepare(folder: Path, decode: Seen, sizes: list[int], **reading: float) -> list[Prepared]:
    for number, side in enumerate(sizes):
        (folder / f"{number}.png").write_bytes(encode(drawn(side, side), "PNG"))
    config = ReadingConfig.model_validate({"threads": 8, **reading})
    preparer = Preparer(catalogs.PREPROCESSING, config, StorageConfig(), decode)
    uris = [str(folder / f"{number}.png") for number in range(len(sizes))]
    return list(preparer.stream(uris, [None] * len(uris)))


def test_no_more_pixels_are_decoded_at_once_than_one_image_may_have(tmp_path: Path) -> None:
    decode = Seen(0.01)

    found = prepare(tmp_path, decode, [20, 10, 14, 20, 8] * 8, max_image_pixels=400)

    assert all(each.pixels is not None for each in found)
    assert 200 < decode.most <= 400


def test_to_wait_for_others_is_not_to_be_stuck(tmp_path: Path) -> None:
    decode = Seen(0.4)

    found = prepare(tmp_path, decode, [20] * 8, max_image_pixels=400, timeout_s=0.6)

    assert all(each.pixels is not None for each in found)


def test_an_image_that_is_an_error_gives_back_what_it_took(tmp_path: Path) -> None:
    for number in range(20):
        data = encode(drawn(20, 20), "PNG")
        (tmp_path / f"{number}.png").write_bytes(data if number % 2 else data[:-60])
    config = ReadingConfig(threads=4, max_image_pixels=400)
    preparer = Preparer(catalogs.PREPROCESSING, config, StorageConfig())
    uris = [str(tmp_path / f"{number}.png") for number in range(20)]

    found = list(preparer.stream(uris, [None] * 20))

    assert [each.error is None for each in found] == [False, True] * 10


def test_what_is_larger_than_the_budget_goes_alone() -> None:
    budget = PixelBudget(100)

    assert budget.take(1_000) == 100
    budget.give_back(100)
    assert budget.take(60) + budget.take(40) == 100


def test_a_large_one_gets_its_turn_among_many_small_ones() -> None:
    budget = PixelBudget(100)
    order: list[str] = []

    def take(name: str, pixels: int) -> None:
        share = budget.take(pixels)
        order.append(name)
        budget.give_back(share)

    held = budget.take(50)
    with ThreadPoolExecutor(6) as pool:
        pool.submit(take, "large", 100)
        time.sleep(0.2)  # until it waits
        for _ in range(5):
            pool.submit(take, "small", 10)
        time.sleep(0.2)
        assert order == []
        budget.give_back(held)

    assert order == ["large", *["small"] * 5]

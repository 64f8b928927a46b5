"""What a device decodes is what the CPU decodes, to rounding; all else ends as without a device.

The device is nvImageCodec's decoder for CPUs, which takes the same calls as that of a GPU.
"""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lib.images import device_preparer
from lib.images.config import ReadingConfig
from lib.images.decode import decode
from lib.images.device_decode import DeviceDecoder, open_on_gpu
from lib.images.device_preparer import DevicePreparer
from lib.images.formats import DecodeLimits
from lib.images.jpeg import END, Pixels
from lib.images.plain_jpeg import plain_pixels
from lib.images.preparer import Prepared, Preparer, StuckError
from lib.images.preprocessing import Fit, Preprocessing
from lib.images.resize import resize
from lib.reasons import Reason
from lib.storage.config import StorageConfig
from tests.helpers import catalogs
from tests.helpers.pictures import drawn, encode

LIMITS = DecodeLimits()
FITS: tuple[Fit, ...] = ("crop", "pad", "squash")
A_LEVEL = 1  # rounded once, not after each direction


def shown(fit: Fit = "crop", size_px: int = 32) -> Preprocessing:
    return Preprocessing(
        size_px=size_px, fit=fit, mean=(0, 0, 0), std=(1, 1, 1), decode="scaled-2x"
    )


def on_cpu(preprocessing: Preprocessing) -> DeviceDecoder:
    return DeviceDecoder(preprocessing, 1, on_gpu=False)


def apart(one: Pixels, other: Pixels | None) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    assert other is not None
    assert (other.shape, other.dtype) == (one.shape, one.dtype)
    found: np.ndarray[tuple[int, ...], np.dtype[np.int64]] = np.abs(
        one.astype(np.int64) - other.astype(np.int64)
    )
    return found


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_a_photo_s_pixels_are_those_of_libjpeg_to_a_level(fit: Fit, subsampling: int) -> None:
    files = [
        encode(drawn(height, width), "JPEG", quality=90, subsampling=subsampling)
        for height, width in ((33, 127), (126, 67), (120, 120), (32, 32))
    ]
    found = on_cpu(shown(fit)).decode(files)

    for data, pixels in zip(files, found, strict=True):
        assert apart(resize(decode(data, LIMITS, shown(fit)), shown(fit)), pixels).max() <= A_LEVEL


@pytest.mark.parametrize(("size_px", "most_mean"), [(110, 0.3), (50, 2.5), (25, 2.5)])
def test_what_libjpeg_decodes_smaller_is_near(shared: Path, size_px: int, most_mean: float) -> None:
    preprocessing = shown(size_px=size_px)
    photos = sorted((shared / "data" / "imagenet-samples").iterdir())[:24]
    files = [data for path in photos if plain_pixels(data := path.read_bytes(), LIMITS, size_px)]

    found = on_cpu(preprocessing).decode(files)

    means = [
        apart(resize(decode(data, LIMITS, preprocessing), preprocessing), pixels).mean()
        for data, pixels in zip(files, found, strict=True)
    ]
    assert len(means) > 15
    assert np.mean(means) < most_mean


def test_a_file_that_is_not_decoded_spoils_none_beside_it() -> None:
    whole = encode(drawn(), "JPEG")

    first, cut, last = on_cpu(shown()).decode([whole, whole[: len(whole) // 2], whole])

    assert cut is None
    assert first is not None
    assert last is not None
    np.testing.assert_array_equal(first, last)


def test_without_a_gpu_none_is_opened_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert open_on_gpu(shown(), 1) is None
    assert "JPEG files are decoded on CPUs alone" in caplog.text


def prepared(
    paths: Sequence[Path], device: DeviceDecoder | None, reading: ReadingConfig
) -> list[Prepared]:
    preparer = DevicePreparer(shown(), reading, StorageConfig(), device=device)
    return list(preparer.stream(map(str, paths), [None] * len(paths)))


def reasons(found: Sequence[Prepared]) -> list[str | None]:
    errors = [each.error for each in found]
    return [None if error is None else f"{error.reason}: {error.detail}" for error in errors]


def check_same(found: Sequence[Prepared], plain: Sequence[Prepared]) -> None:
    """Check that rows are the same, and pixels nearly."""
    assert reasons(found) == reasons(plain)
    assert [each.bytes_fetched for each in found] == [each.bytes_fetched for each in plain]
    for each, wanted in zip(found, plain, strict=True):
        if wanted.pixels is not None:
            assert apart(wanted.pixels, each.pixels).mean() < 5


def write(folder: Path, files: dict[str, bytes]) -> list[Path]:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


@pytest.mark.parametrize("folder", ["hostile-images", "failing"])
def test_odd_and_broken_files_end_as_without_a_device(shared: Path, folder: str) -> None:
    paths = sorted(path for path in (shared / "data" / folder).iterdir() if path.is_file())
    reading = ReadingConfig(threads=4)

    plain = prepared(paths, None, reading)

    check_same(prepared(paths, on_cpu(shown()), reading), plain)


def test_items_keep_their_order_whatever_decodes_them(tmp_path: Path) -> None:
    files = {**catalogs.pictures(180), **catalogs.BROKEN_FILES}
    paths = [*write(tmp_path, files), tmp_path / "missing.jpg"]
    order = np.random.default_rng(5).permutation(len(paths))
    paths = [paths[place] for place in order]
    reading = ReadingConfig(threads=4)
    preparer = Preparer(shown(), reading, StorageConfig())

    found = prepared(paths, on_cpu(shown()), reading)

    check_same(found, list(preparer.stream(map(str, paths), [None] * len(paths))))
    assert len(found) == len(paths)


def test_files_that_are_many_pixels_together_are_decoded_in_turns(tmp_path: Path) -> None:
    paths = write(tmp_path, {f"{n}.jpg": encode(drawn(100 + n, 90), "JPEG") for n in range(20)})
    one_at_a_time = ReadingConfig(threads=4, max_image_pixels=119 * 90)

    found = prepared(paths, on_cpu(shown()), one_at_a_time)

    check_same(found, prepared(paths, None, one_at_a_time))


def test_a_scan_that_is_cut_before_its_end_mark_is_not_seen_by_the_device(tmp_path: Path) -> None:
    """As long as this holds, the documentation says so."""
    whole = encode(drawn(200, 200), "JPEG", quality=95)
    paths = write(tmp_path, {"cut.jpg": whole[: len(whole) // 2] + END})
    reading = ReadingConfig(threads=1)

    (error,) = prepared(paths, None, reading)
    (found,) = prepared(paths, on_cpu(shown()), reading)

    assert error.error is not None
    assert error.error.reason == Reason.TRUNCATED
    assert found.pixels is not None


class Failing(DeviceDecoder):
    """A device that has been lost."""

    def decode(self, files: Sequence[bytes]) -> list[Pixels | None]:
        raise RuntimeError(f"lost before {len(files)} files")


def test_where_the_device_fails_cpus_decode_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = write(tmp_path, catalogs.pictures(9))
    reading = ReadingConfig(threads=2)

    found = prepared(paths, Failing(shown(), 1, on_gpu=False), reading)

    for each, wanted in zip(found, prepared(paths, None, reading), strict=True):
        np.testing.assert_array_equal(each.pixels, wanted.pixels)
    assert "3 JPEG files are decoded on CPUs: lost before 3 files" in caplog.text


class Hanging(DeviceDecoder):
    """A device that never answers."""

    released = threading.Event()

    def decode(self, files: Sequence[bytes]) -> list[Pixels | None]:
        self.released.wait()
        return super().decode(files)


def test_a_device_that_hangs_ends_the_process_as_an_image_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.images.preparer._LOOK_S", 0.05)
    paths = write(tmp_path, {"one.jpg": encode(drawn(), "JPEG")})
    try:
        with pytest.raises(StuckError, match=r"one\.jpg"):
            prepared(paths, Hanging(shown(), 1, on_gpu=False), ReadingConfig(timeout_s=0.1))
    finally:
        Hanging.released.set()


def test_files_do_not_pile_up_where_their_consumer_is_slow(tmp_path: Path) -> None:
    class Counting(DevicePreparer):
        started = 0

        def fetch(self, uri: str, etag: str | None) -> tuple[bytes | None, Prepared]:
            self.started += 1
            return super().fetch(uri, etag)

    (photo,) = write(tmp_path, {"one.jpg": encode(drawn(), "JPEG")})
    reading = ReadingConfig(threads=1)
    preparer = Counting(shown(), reading, StorageConfig(), device=on_cpu(shown()))
    stream = preparer.stream([str(photo)] * 600, [None] * 600)
    for _ in range(device_preparer.BATCH):
        next(stream)
    assert preparer.started <= 4 * device_preparer.BATCH
    assert sum(each.pixels is not None for each in stream) == 600 - device_preparer.BATCH

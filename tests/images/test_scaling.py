"""A JPEG file decoded smaller than it is gives a model the same picture, or the same error."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from lib.images.config import ReadingConfig
from lib.images.decode import decode
from lib.images.formats import DecodeLimits
from lib.images.isolated import CarefulPreparer
from lib.images.jpeg import Pixels
from lib.images.preparer import Decoder, Preparer
from lib.images.preprocessing import Fit, Preprocessing
from lib.images.resize import resize
from lib.images.scaling import divisor_of
from lib.reasons import ItemError, Reason
from lib.storage.config import StorageConfig
from tests.helpers.pictures import drawn, encode, lossless_jpeg

SHARED = Path(os.environ.get("RESHELVE_SHARED", Path(__file__).resolve().parents[3] / "shared"))
LIMITS = DecodeLimits()
FITS: tuple[Fit, ...] = ("crop", "pad", "squash")
HEIGHT, WIDTH = 198, 261  # no multiple of eight
SIZES = {2: 40, 4: 20, 8: 10}  # the model's side, by how far its pictures are scaled down
PICTURE = drawn(HEIGHT, WIDTH)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
JPEGS = {
    "4:2:0": encode(PICTURE, "JPEG", quality=90, subsampling=2),
    "4:2:2": encode(PICTURE, "JPEG", quality=90, subsampling=1),
    "4:4:4": encode(PICTURE, "JPEG", quality=90, subsampling=0),
    "progressive": encode(PICTURE, "JPEG", quality=90, progressive=True),
    "grey": encode(PICTURE.convert("L"), "JPEG", quality=90),
    "cmyk": encode(PICTURE.convert("CMYK"), "JPEG", quality=90),
    "restarts": encode(PICTURE, "JPEG", quality=90, restart_marker_blocks=2),
    "odd profile": encode(PICTURE, "JPEG", quality=90, icc_profile=PROFILE),
}


def shown(size_px: int = 40, fit: Fit = "crop") -> Preprocessing:
    return Preprocessing(
        size_px=size_px, fit=fit, mean=(0, 0, 0), std=(1, 1, 1), decode="scaled-2x"
    )


def outcome(data: bytes, preprocessing: Preprocessing | None) -> Pixels | Reason:
    try:
        return decode(data, LIMITS, preprocessing)
    except ItemError as error:
        return error.reason


@pytest.mark.parametrize(
    ("width", "height", "fit", "divisor"),
    [
        (895, 2000, "crop", 1),
        (896, 2000, "crop", 2),
        (2000, 896, "crop", 2),
        (1791, 1791, "crop", 2),
        (1792, 1792, "crop", 4),
        (3584, 4000, "crop", 8),
        (30_000, 30_000, "crop", 8),
        (895, 3, "pad", 1),
        (896, 3, "pad", 2),
        (3, 1792, "pad", 4),
        (10_000, 895, "squash", 1),
        (895, 10_000, "squash", 1),
        (10_000, 896, "squash", 2),
    ],
)
def test_the_sides_that_matter_keep_twice_the_models_pixels(
    width: int, height: int, fit: Fit, divisor: int
) -> None:
    assert divisor_of(width, height, shown(224, fit)) == divisor


@pytest.mark.parametrize("fit", FITS)
def test_a_bundle_of_before_has_every_pixel_decoded(fit: Fit) -> None:
    preprocessing = shown(8, fit).model_copy(update={"decode": "full"})
    assert divisor_of(10_000, 10_000, preprocessing) == 1
    whole = decode(JPEGS["4:2:0"], LIMITS)
    assert np.array_equal(decode(JPEGS["4:2:0"], LIMITS, preprocessing), whole)


@pytest.mark.parametrize("divisor", SIZES)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_scaled_picture_is_upright_and_its_sides_are_rounded_up(
    orientation: int, divisor: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(PICTURE, "JPEG", quality=90, exif=exif)

    scaled = decode(data, LIMITS, shown(SIZES[divisor]))

    sides = [-(-HEIGHT // divisor), -(-WIDTH // divisor)]
    assert list(scaled.shape[1:]) == (sides if orientation < 5 else sides[::-1])
    whole = resize(decode(data, LIMITS), shown(8)).astype(np.float32)
    assert np.abs(resize(scaled, shown(8)) - whole).mean() < 3


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size_px", SIZES.values())
@pytest.mark.parametrize("name", JPEGS)
def test_a_model_sees_almost_the_same(name: str, size_px: int, fit: Fit) -> None:
    preprocessing = shown(size_px, fit)
    scaled = decode(JPEGS[name], LIMITS, preprocessing)
    whole = decode(JPEGS[name], LIMITS)

    assert scaled.size <= whole.size / 3
    ours, theirs = (resize(each, preprocessing).astype(np.float32) for each in (scaled, whole))
    # where a side is rounded up, the picture moves by less than a pixel
    assert np.abs(ours - theirs).mean() < 255 / size_px / 2


def test_a_file_that_is_no_jpeg_is_decoded_whole() -> None:
    for file_format in ("PNG", "WEBP", "GIF"):
        data = encode(PICTURE, file_format)
        assert np.array_equal(decode(data, LIMITS, shown(10)), decode(data, LIMITS))


def test_a_lossless_jpeg_file_is_decoded_whole() -> None:
    data = lossless_jpeg(WIDTH, HEIGHT)
    whole = decode(data, LIMITS)
    assert whole.shape == (3, HEIGHT, WIDTH)
    assert np.array_equal(decode(data, LIMITS, shown(10)), whole)


def test_limits_hold_for_the_whole_picture() -> None:
    limits = DecodeLimits(max_pixels=HEIGHT * WIDTH - 1)
    with pytest.raises(ItemError) as caught:
        decode(JPEGS["4:2:0"], limits, shown(10))
    assert caught.value.reason is Reason.TOO_LARGE


def assert_same_outcome(data: bytes) -> None:
    whole = outcome(data, None)
    for size_px in SIZES.values():
        scaled = outcome(data, shown(size_px))
        if isinstance(whole, Reason):
            assert scaled is whole
        else:
            assert isinstance(scaled, np.ndarray)
            assert scaled.size < whole.size


@pytest.mark.parametrize("name", JPEGS)
def test_a_file_that_is_cut_short_has_the_same_error(name: str) -> None:
    data = JPEGS[name]
    first_scan = data.index(b"\xff\xda") + 20
    for length in range(first_scan, len(data), (len(data) - first_scan) // 20):
        for cut in (data[:length], data[:length] + data[-2:]):
            assert_same_outcome(cut)
    assert_same_outcome(data[:-2])


@pytest.mark.parametrize("name", JPEGS)
def test_a_file_that_is_damaged_has_the_same_error_or_none(name: str) -> None:
    draw = np.random.default_rng(list(name.encode())).integers
    first_scan = JPEGS[name].index(b"\xff\xda") + 20
    reasons = set()
    for _ in range(60):
        data = bytearray(JPEGS[name])
        for _ in range(draw(1, 4)):
            data[draw(first_scan, len(data))] = draw(256)
        assert_same_outcome(bytes(data))
        reasons.add(type(outcome(bytes(data), None)))
    assert Reason in reasons


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="the shared files are not here")
@pytest.mark.parametrize("folder", ["failing", "hostile-images"])
def test_odd_files_have_the_same_error_or_none(folder: str) -> None:
    preprocessing = shown(8)
    for path in sorted((SHARED / "data" / folder).iterdir()):
        data = path.read_bytes()
        whole, scaled = outcome(data, None), outcome(data, preprocessing)
        if isinstance(whole, Reason):
            assert scaled is whole, path
        else:
            assert isinstance(scaled, np.ndarray), path


def test_every_way_to_a_models_pixels_is_the_same_one(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(JPEGS["4:2:0"])
    preprocessing = shown(40, "pad")
    preparer = Preparer(preprocessing, ReadingConfig(threads=1), StorageConfig())

    found = [
        Decoder(preprocessing, LIMITS)(JPEGS["4:2:0"]),
        preparer.prepare(str(path), None),
        CarefulPreparer(preparer).prepare(str(path), None),
    ]

    expected = resize(decode(JPEGS["4:2:0"], LIMITS, preprocessing), preprocessing)
    assert not np.array_equal(expected, resize(decode(JPEGS["4:2:0"], LIMITS), preprocessing))
    for each in found:
        assert each.pixels is not None
        assert np.array_equal(each.pixels, expected)

import os
import re
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from lib.images.decode import decode
from lib.images.formats import DecodeLimits
from lib.images.jpeg import Pixels
from lib.reasons import ItemError, Reason

SHARED = Path(os.environ.get("RESHELVE_SHARED", Path(__file__).resolve().parents[3] / "shared"))
HOSTILE = SHARED / "data" / "hostile-images"
LIMITS = DecodeLimits()
STORED_AS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # orientation to Image.Transpose
FIRST_CUT = 200  # a file cut within its first header may not even say what it is


def picture(height: int = 48, width: int = 64) -> Image.Image:
    """Four coloured quarters, each different, so that any turn or flip shows."""
    colours = np.array([[(200, 30, 40), (20, 180, 60)], [(30, 50, 190), (210, 200, 90)]], np.uint8)
    return Image.fromarray(colours.repeat(height // 2, axis=0).repeat(width // 2, axis=1))


def encode(image: Image.Image, file_format: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def seen(image: Image.Image) -> Pixels:
    return np.array(image.convert("RGB")).transpose(2, 0, 1)


def difference(one: Pixels, other: Pixels) -> float:
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def outcome(data: bytes) -> Pixels | ItemError:
    try:
        return decode(data, LIMITS)
    except ItemError as error:
        return error


def refusal(data: bytes, limits: DecodeLimits = LIMITS) -> ItemError:
    with pytest.raises(ItemError) as caught:
        decode(data, limits)
    assert 0 < len(caught.value.detail) <= 200
    assert "\n" not in caught.value.detail
    return caught.value


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int) -> bytes:
    """Make a PNG whose header promises far more than its body holds."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IEND", b"")


EVERY_FORMAT: dict[str, bytes] = {
    "jpeg": encode(picture(), "JPEG", quality=95, subsampling=0),
    "progressive": encode(picture(), "JPEG", quality=95, subsampling=0, progressive=True),
    "cmyk": encode(picture().convert("CMYK"), "JPEG", quality=95, subsampling=0),
    "png": encode(picture(), "PNG"),
    "webp": encode(picture(), "WEBP", lossless=True),
    "gif": encode(picture(), "GIF"),
    "bmp": encode(picture(), "BMP"),
    "tiff": encode(picture(), "TIFF"),
    "tiff_lzw": encode(picture(), "TIFF", compression="tiff_lzw"),
    "avif": encode(picture(), "AVIF", quality=95, subsampling="4:4:4"),
    "jpeg2000": encode(picture(), "JPEG2000"),
    "codestream": encode(picture(), "JPEG2000", no_jp2=True),
}


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_every_format_shows_the_picture_that_was_saved(name: str) -> None:
    pixels = decode(EVERY_FORMAT[name], LIMITS)
    assert pixels.dtype == np.uint8
    assert difference(pixels, seen(picture())) < 3


@pytest.mark.parametrize("name", EVERY_FORMAT)
def test_a_file_that_ends_early_is_an_error_or_whole_but_never_half(name: str) -> None:
    data = EVERY_FORMAT[name]
    whole = decode(data, LIMITS)
    steps = range(FIRST_CUT, len(data), max(1, len(data) // 100))
    for length in (*steps, *range(len(data) - 30, len(data))):
        got = outcome(data[:length])
        if isinstance(got, ItemError):
            in_tags = name.startswith("tiff") and length > len(data) - 200
            assert got.reason is Reason.TRUNCATED or in_tags, (length, got)
        else:
            assert np.array_equal(got, whole), length


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_is_undone_the_same_on_every_path(orientation: int, mode: str) -> None:
    upright = picture().convert(mode)
    turn = STORED_AS.get(orientation)
    stored = upright if turn is None else upright.transpose(Image.Transpose(turn))
    exif = Image.Exif()
    exif[0x0112] = orientation
    jpeg = decode(encode(stored, "JPEG", exif=exif, quality=95, subsampling=0), LIMITS)
    assert difference(jpeg, seen(upright)) < 3
    for file_format in ("PNG", "TIFF", "WEBP"):
        if mode == "RGB":
            data = encode(stored, file_format, exif=exif, lossless=True)
            assert np.array_equal(decode(data, LIMITS), seen(upright))


def test_adobe_inverted_cmyk_comes_out_in_its_colours() -> None:
    data = encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG")
    assert b"Adobe" in data
    assert difference(decode(data, LIMITS), seen(Image.new("RGB", (16, 16), "red"))) < 3


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "JPEG2000"])
def test_16_bit_grey_is_scaled_and_not_clipped(file_format: str) -> None:
    ramp = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    pixels = decode(encode(Image.fromarray(ramp), file_format), LIMITS)
    assert np.array_equal(pixels[0], (ramp >> 8).astype(np.uint8))
    assert np.array_equal(pixels[0], pixels[2])


@pytest.mark.parametrize(
    ("dtype", "top"),
    [(dtype, top) for dtype in ("int32", "float32") for top in (255, 65535, 2e9)]
    + [("float32", 1)],
)
def test_deeper_grey_is_scaled_to_what_its_numbers_reach(top: float, dtype: str) -> None:
    ramp = np.linspace(0, top, 64 * 64).reshape(64, 64).astype(dtype)
    grey = decode(encode(Image.fromarray(ramp), "TIFF"), LIMITS)[0].flatten()
    assert grey[0] == 0
    assert grey[-1] == 255
    assert abs(int(grey[2048]) - 128) <= 1


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(mode: str) -> None:
    image = Image.new("RGBA", (16, 8), (0, 0, 0, 0))
    image.paste((40, 40, 40, 255), (0, 0, 8, 8))
    pixels = decode(encode(image.convert(mode), "PNG"), LIMITS)
    assert (pixels[:, :, 8:] == 255).all()
    assert (pixels[:, :, :8] == 40).all()


def test_a_transparent_colour_or_palette_entry_is_white() -> None:
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    for data in (
        encode(red, "PNG", transparency=(255, 0, 0)),
        encode(red.quantize(4), "PNG", transparency=b"\0"),
        encode(red.quantize(4), "GIF", transparency=0),
    ):
        assert (decode(data, LIMITS) == 255).all()


def test_one_bit_is_black_and_white() -> None:
    image = Image.new("1", (16, 8), 1)
    image.paste(0, (0, 0, 8, 8))
    for file_format in ("PNG", "TIFF", "BMP"):
        assert np.array_equal(decode(encode(image, file_format), LIMITS), seen(image))


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF", "AVIF", "MPO"])
def test_of_many_frames_the_first_is_seen(file_format: str) -> None:
    others = [Image.new("RGB", (64, 48), colour) for colour in ("white", "black")]
    data = encode(picture(), file_format, save_all=True, append_images=others)
    assert difference(decode(data, LIMITS), seen(picture())) < 10


@pytest.mark.parametrize(
    ("data", "reason", "says"),
    [
        (b"", Reason.EMPTY, "no bytes"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><html><svg></html>", Reason.NOT_AN_IMAGE, "HTML"),
        (b'{"error": "no such image"}\n', Reason.NOT_AN_IMAGE, "text"),
        (bytes(1000), Reason.NOT_AN_IMAGE, "no known image format"),
        (b'<?xml version="1.0"?>\n<!-- a -->\n<svg/>', Reason.UNSUPPORTED_FORMAT, "SVG"),
        (b"%PDF-1.7\n%", Reason.UNSUPPORTED_FORMAT, "PDF"),
        (encode(picture(), "ICO"), Reason.UNSUPPORTED_FORMAT, "ICO"),
        (encode(picture(), "PPM"), Reason.UNSUPPORTED_FORMAT, "Netpbm"),
        (png_of(50_000, 50_000), Reason.TOO_LARGE, "50,000 x 50,000"),
        (png_of(9_000, 9_999), Reason.DECODE_FAILED, "PNG"),
        (b"\xff\xd8\xff" + bytes(100) + b"\xff\xd9", Reason.DECODE_FAILED, "JPEG"),
    ],
)
def test_what_cannot_be_seen_is_refused_with_a_reason(
    data: bytes, reason: Reason, says: str
) -> None:
    error = refusal(data)
    assert error.reason is reason
    assert says in error.detail
    assert not re.search(r"0x[0-9a-f]{6}|Traceback", error.detail)


def test_the_limits_are_the_callers_and_pillows_stay_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    assert refusal(EVERY_FORMAT["png"], DecodeLimits(max_pixels=3000)).reason is Reason.TOO_LARGE
    assert refusal(EVERY_FORMAT["jpeg"], DecodeLimits(max_bytes=99)).reason is Reason.TOO_LARGE
    huge = encode(Image.new("1", (100, 60)), "PNG")
    with pytest.raises(Image.DecompressionBombError):
        Image.open(BytesIO(huge))
    assert decode(huge, DecodeLimits(max_pixels=6_000)).shape == (3, 60, 100)
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def test_warnings_are_hushed_in_the_decoding_thread_only() -> None:
    png = EVERY_FORMAT["png"]
    odd = png[:33] + chunk(b"acTL", bytes(8)) + png[33:]
    with pytest.warns(UserWarning, match="Invalid APNG"):
        Image.open(BytesIO(odd))
    with ThreadPoolExecutor(1) as threads:
        decoded = threads.map(lambda _: decode(odd, LIMITS), range(500))
        for _ in range(500):
            with pytest.raises(UserWarning, match="heard"):
                warnings.warn("heard", UserWarning, stacklevel=1)
        assert all(np.array_equal(pixels, seen(picture())) for pixels in decoded)


@pytest.mark.skipif(not HOSTILE.is_dir(), reason=f"no hostile images at {HOSTILE}")
def test_every_hostile_file_ends_in_pixels_or_a_reason_from_any_thread() -> None:
    files = [path.read_bytes() for path in sorted(HOSTILE.iterdir())]
    assert len(files) >= 400
    alone = [outcome(data) for data in files]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(outcome, files))
    for one, other in zip(alone, together, strict=True):
        if isinstance(one, ItemError):
            assert repr(one) == repr(other)
        else:
            assert isinstance(other, np.ndarray)
            assert np.array_equal(one, other)
    assert sum(isinstance(one, np.ndarray) for one in alone) >= 340

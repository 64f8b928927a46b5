"""A file that is odd where no pixel lies is a picture; one that lacks rows is none."""

import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from lib.images.decode import decode
from lib.images.formats import DecodeLimits
from lib.reasons import ItemError, Reason
from tests.helpers.pictures import (
    ODD_CHUNKS,
    bitmap,
    chunk,
    drawn,
    encode,
    gif_on,
    with_chunks,
)

LIMITS = DecodeLimits()
JPEGS = {
    "baseline": encode(drawn(), "JPEG", quality=90),
    "progressive": encode(drawn(), "JPEG", quality=90, progressive=True),
    "grey": encode(drawn().convert("L"), "JPEG", quality=90),
    "cmyk": encode(drawn().convert("CMYK"), "JPEG", quality=90),
    "restarts": encode(drawn(), "JPEG", quality=90, restart_marker_blocks=2),
}
PNG = encode(drawn(), "PNG")


def seen(data: bytes) -> torch.Tensor:
    return torch.from_numpy(decode(data, LIMITS))


def reason(data: bytes) -> Reason:
    with pytest.raises(ItemError) as caught:
        decode(data, LIMITS)
    return caught.value.reason


@pytest.mark.parametrize("name", JPEGS)
def test_a_jpeg_file_that_lacks_its_end_mark_alone_is_the_same_picture(name: str) -> None:
    data = JPEGS[name]
    for end in (b"", b"\xff", b"\0", bytes(1000)):
        assert torch.equal(seen(data[:-2] + end), seen(data)), end


def cuts(data: bytes) -> range:
    first_scan = data.index(b"\xff\xda") + 20
    return range(first_scan, len(data) - 4, max(1, (len(data) - first_scan) // 30))


@pytest.mark.parametrize("padding", [b"", bytes(5000)], ids=["cut", "padded"])
@pytest.mark.parametrize("name", JPEGS)
def test_a_jpeg_file_that_lacks_rows_is_truncated(name: str, padding: bytes) -> None:
    data = JPEGS[name]
    for length in cuts(data):
        assert reason(data[:length] + padding) is Reason.TRUNCATED, length


@pytest.mark.parametrize("name", ["baseline", "grey", "cmyk"])
def test_a_jpeg_file_that_lacks_rows_before_its_end_mark_is_truncated(name: str) -> None:
    data = JPEGS[name]
    for length in cuts(data):
        assert reason(data[:length] + data[-2:]) is Reason.TRUNCATED, length


def test_a_progressive_file_that_lacks_its_last_scans_is_truncated() -> None:
    data = JPEGS["progressive"]
    scans = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    for at in scans[1:]:
        assert reason(data[:at]) is Reason.TRUNCATED


def test_a_jpeg_file_with_a_bad_huffman_code_or_scan_is_an_error() -> None:
    data = JPEGS["baseline"]
    scan = data.index(b"\xff\xda") + 14
    ones = data[: scan + 200] + b"\xff\0" * 20 + data[scan + 240 :]
    assert reason(ones) is Reason.DECODE_FAILED
    parameters = bytearray(data)
    parameters[scan - 3 : scan] = bytes((7, 3, 0))
    assert reason(bytes(parameters)) is Reason.DECODE_FAILED


def test_what_lies_between_the_segments_of_a_jpeg_file_costs_no_picture() -> None:
    for data in JPEGS.values():
        tables = data.index(b"\xff\xdb")
        junk = data[:tables] + b"\1\2\3" + data[tables:]
        profile = data[:2] + b"\xff\xe2\0\x10ICC_PROFILE\0\7\2" + data[2:]
        trailer = data + b"a trailer of a camera"
        padded = data[:-2] + bytes(7) + data[-2:]
        for odd in (junk, profile, trailer, padded):
            assert torch.equal(seen(odd), seen(data))


@pytest.mark.parametrize("name", ODD_CHUNKS)
def test_a_damaged_or_odd_chunk_beside_the_pixels_costs_no_picture(name: str) -> None:
    for before_end in (False, True):
        odd = with_chunks(PNG, ODD_CHUNKS[name], before_end=before_end)
        assert torch.equal(seen(odd), seen(PNG))


def test_a_png_file_that_is_cut_behind_its_pixels_is_the_picture() -> None:
    for kind in (b"tEXt", b"fdAT"):
        whole = with_chunks(PNG, chunk(kind, bytes(500)), before_end=True)
        for lost in (12, 40, 400):
            assert torch.equal(seen(whole[:-lost]), seen(PNG))


def test_a_thousand_texts_that_unpack_to_megabytes_cost_no_picture() -> None:
    bomb = chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(2**20)))
    assert torch.equal(seen(with_chunks(PNG, *[bomb] * 1_000)), seen(PNG))


def test_a_damaged_chunk_of_pixels_is_an_error() -> None:
    at = PNG.index(b"IDAT") + 30
    assert reason(PNG[:at] + b"damage" + PNG[at + 6 :]) is Reason.DECODE_FAILED


def test_what_png_chunks_say_of_the_pixels_is_heard() -> None:
    clear = with_chunks(
        encode(Image.new("RGB", (8, 8), "red"), "PNG"), chunk(b"tRNS", b"\0\xff\0\0\0\0")
    )
    assert (seen(clear) == 255).all()
    exif = Image.Exif()
    exif[0x0112] = 6
    assert seen(encode(drawn(), "PNG", exif=exif)).shape == (3, 64, 48)
    turned = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>'
    for packed in (b"\0\0\0\0" + turned, b"\1\0\0\0" + zlib.compress(turned)):
        xmp = chunk(b"iTXt", b"XML:com.adobe.xmp\0" + packed)
        assert seen(with_chunks(PNG, xmp)).shape == (3, 64, 48)


@pytest.mark.parametrize(
    ("bits", "masks"),
    [
        (16, (0xF00, 0xF0, 0xF)),
        (16, (0x600, 0x1C0, 0x3F)),
        (32, (0xFF, 0xFF00, 0xFF0000)),
        (32, (0xFF00, 0xFF0000, 0xFF000000)),
        (32, (0x3FF00000, 0xFFC00, 0x3FF)),
        (32, (0xFFF00000, 0xFE000, 0x1FFF)),
    ],
)
def test_a_bmp_file_with_masks_of_any_place_and_width_is_the_picture(
    bits: int, masks: tuple[int, ...]
) -> None:
    image = drawn(11, 13)
    least = min(mask.bit_count() for mask in masks)
    for upside in (False, True):
        got = seen(bitmap(image, masks, bits, upside=upside)).permute(1, 2, 0).numpy()
        assert np.abs(got.astype(int) - np.asarray(image)).max() <= 255 / (2**least - 1) / 2 + 1


def test_a_bmp_file_with_a_mask_of_alpha_is_laid_on_white() -> None:
    image = drawn(11, 13)
    image.putalpha(Image.new("L", image.size, 0))
    for bits, masks in (
        (16, (0xF00, 0xF0, 0xF, 0xF000)),
        (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
    ):
        assert (seen(bitmap(image, masks, bits)) == 255).all()


def test_a_bmp_file_with_masks_that_is_cut_short_is_truncated() -> None:
    data = bitmap(drawn(), (0xF00, 0xF0, 0xF), 16)
    assert isinstance(reason(data[:-5]), Reason)


def test_where_the_first_frame_of_a_gif_file_does_not_reach_it_is_white() -> None:
    data = gif_on((40, 30), drawn(16, 12), (5, 6))
    pixels = seen(data)
    assert pixels.shape == (3, 30, 40)
    inside = torch.zeros(30, 40, dtype=torch.bool)
    inside[6:22, 5:17] = True
    assert (pixels[:, ~inside] == 255).all()
    assert torch.equal(pixels[:, 6:22, 5:17], seen(encode(drawn(16, 12).quantize(16), "GIF")))


def test_a_gif_frame_that_reaches_beyond_its_canvas_makes_it_larger() -> None:
    pixels = seen(gif_on((10, 10), drawn(16, 12), (5, 6)))
    assert pixels.shape == (3, 22, 17)
    assert (pixels[:, :6] == 255).all()

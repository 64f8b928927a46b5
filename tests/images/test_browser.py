"""What is classified is what a browser shows: some sixty pictures, painted by chromium."""

import struct
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageCms
from playwright.sync_api import sync_playwright

from lib.images.decode import decode
from lib.images.formats import DecodeLimits
from tests.helpers import browser, profiles
from tests.helpers.painted import Painted, paint
from tests.helpers.pictures import (
    ODD_CHUNKS,
    bitmap,
    chunk,
    drawn,
    encode,
    gif_on,
    with_chunks,
)

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not browser.program(), reason="chromium is not installed"),
]
MEAN_APART, MOST_APART = 0.6, 2  # levels; colour engines and the laying on white round differently
INKS, CUT = "jpeg, CMYK with a profile", "jpeg, without its end"
# between the points of a table, engines differ more; chromium smoothes what it takes for unfinished
APART = {INKS: 30, CUT: 8}
SPACES = {
    "Adobe RGB": profiles.of_screen(profiles.ADOBE_RGB, 2.2),
    "Display P3": profiles.of_screen(profiles.DISPLAY_P3, 2.2),
    "ProPhoto": profiles.of_screen(profiles.PROPHOTO, 1.8, profiles.D50),
    "sRGB": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
}
CLEAR = drawn()
CLEAR.putalpha(Image.linear_gradient("L").resize(CLEAR.size))
OTHER = Image.new("RGB", drawn().size, "red")
MASKS: dict[str, tuple[int, tuple[int, ...]]] = {
    "4 bits each": (16, (0xF00, 0xF0, 0xF)),
    "5, 6 and 5 bits": (16, (0xF800, 0x7E0, 0x1F)),
    "red first": (32, (0xFF, 0xFF00, 0xFF0000)),
    "10 bits each": (32, (0x3FF00000, 0xFFC00, 0x3FF)),
}


def jpegs() -> Iterator[tuple[str, bytes]]:
    fine = {"quality": 95, "subsampling": 0}
    yield "baseline", encode(drawn(), "JPEG", quality=80)
    yield "progressive", encode(drawn(), "JPEG", quality=80, progressive=True)
    yield "grey", encode(drawn().convert("L"), "JPEG", quality=80)
    yield "CMYK", encode(drawn().convert("CMYK"), "JPEG", **fine)
    inks = profiles.of_inks()
    yield "CMYK with a profile", encode(drawn().convert("CMYK"), "JPEG", **fine, icc_profile=inks)
    yield "with restarts", encode(drawn(), "JPEG", restart_marker_blocks=2)
    yield "without its end", encode(drawn(), "JPEG", progressive=True)[:-2]
    yield "with a trailer", encode(drawn(), "JPEG") + b"a trailer"
    yield (
        "of grey with a gamma",
        encode(drawn().convert("L"), "JPEG", **fine, icc_profile=profiles.of_grey(1.8)),
    )
    yield (
        "of grey with colours' profile",
        encode(drawn().convert("L"), "JPEG", **fine, icc_profile=SPACES["Display P3"]),
    )
    for name, profile in SPACES.items():
        yield f"in {name}", encode(drawn(), "JPEG", **fine, icc_profile=profile)
    for orientation in range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield f"turned, {orientation}", encode(drawn(), "JPEG", exif=exif)


def pngs() -> Iterator[tuple[str, bytes]]:
    png = encode(drawn(), "PNG")
    yield "plain", png
    for mode in ("1", "L", "P", "LA", "RGBA", "PA"):
        image = CLEAR if "A" in mode else drawn()
        yield f"of mode {mode}", encode(image.convert(mode.replace("PA", "P")), "PNG")
    yield "with a transparent colour", encode(OTHER, "PNG", transparency=(255, 0, 0))
    deep = np.linspace(0, 65535, 48 * 64).astype(np.uint16).reshape(48, 64)
    yield "of 16 bits", encode(Image.fromarray(deep), "PNG")
    yield "animated", encode(drawn(), "PNG", save_all=True, append_images=[OTHER])
    for name, odd in ODD_CHUNKS.items():
        if "animation" not in name and "frame" not in name:  # chromium paints none of them
            yield f"with {name}", with_chunks(png, odd)
    for gamma in (20_000, 45_455, 55_556, 100_000):
        yield f"with a gamma of {gamma}", with_chunks(png, chunk(b"gAMA", struct.pack(">I", gamma)))
    linear = chunk(b"gAMA", struct.pack(">I", 100_000))
    yield "with gamma and sRGB", with_chunks(png, linear, chunk(b"sRGB", b"\0"))
    yield "transparent with a gamma", with_chunks(encode(CLEAR, "PNG"), linear)
    for name, profile in SPACES.items():
        yield f"transparent in {name}", encode(CLEAR, "PNG", icc_profile=profile)


def gifs() -> Iterator[tuple[str, bytes]]:
    yield "plain", encode(drawn().quantize(32), "GIF")
    yield "transparent", encode(drawn().quantize(32), "GIF", transparency=3)
    yield "animated", encode(drawn(), "GIF", save_all=True, append_images=[OTHER])
    yield "smaller than its canvas", gif_on((90, 70), drawn(), (9, 5))
    yield "beyond its canvas", gif_on((40, 40), drawn(), (9, 5))


def others() -> Iterator[tuple[str, str, bytes]]:
    for mode in ("1", "L", "P", "RGB"):
        yield "bmp", f"of mode {mode}", encode(drawn().convert(mode), "BMP")
    for name, (bits, masks) in MASKS.items():
        yield "bmp", f"with masks, {name}", bitmap(drawn(), masks, bits)
    yield "webp", "lossless", encode(drawn(), "WEBP", lossless=True)
    yield "webp", "lossy", encode(drawn(), "WEBP", quality=80)
    yield "webp", "transparent", encode(CLEAR, "WEBP", lossless=True)
    yield "webp", "animated", encode(drawn(), "WEBP", save_all=True, append_images=[OTHER])
    profile = SPACES["Display P3"]
    yield "webp", "in Display P3", encode(drawn(), "WEBP", lossless=True, icc_profile=profile)
    yield "avif", "plain", encode(drawn(), "AVIF")
    yield "avif", "fine", encode(drawn(), "AVIF", quality=95, subsampling="4:4:4")
    yield "avif", "in Display P3", encode(drawn(), "AVIF", icc_profile=profile)
    # of full range, chromium shows others' levels: test_colour_spaces.py holds what is right
    yield (
        "avif",
        "animated",
        encode(drawn(), "AVIF", range="limited", save_all=True, append_images=[OTHER]),
    )


@cache
def pictures() -> dict[str, tuple[str, bytes]]:
    """Return media type and file, by name."""
    found = {
        f"{kind}, {name}": (f"image/{kind}", data)
        for kind, files in (("jpeg", jpegs()), ("png", pngs()), ("gif", gifs()))
        for name, data in files
    }
    return found | {f"{kind}, {name}": (f"image/{kind}", data) for kind, name, data in others()}


@pytest.fixture(scope="module")
def painted() -> dict[str, Painted]:
    with sync_playwright() as playwright:
        chromium = browser.launch(playwright)
        try:
            return paint(chromium.new_page(), pictures())
        finally:
            chromium.close()


@pytest.mark.parametrize("name", pictures())
def test_a_picture_is_what_chromium_paints_on_white(name: str, painted: dict[str, Painted]) -> None:
    theirs = painted[name]
    ours = decode(pictures()[name][1], DecodeLimits()).transpose(1, 2, 0)
    assert theirs is not None
    assert ours.shape == theirs.shape
    apart = np.abs(ours.astype(int) - theirs)
    assert apart.mean() <= MEAN_APART
    assert apart.max() <= APART.get(name, MOST_APART)

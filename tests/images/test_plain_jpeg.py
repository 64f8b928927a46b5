"""Only JPEG files of which every decoder makes the same picture may be decoded by another one."""

import pytest
from PIL import Image, ImageCms

from lib.images.formats import DecodeLimits
from lib.images.plain_jpeg import plain_pixels
from tests.helpers import profiles
from tests.helpers.pictures import drawn, encode, lossless_jpeg

HEIGHT, WIDTH = 198, 261  # no multiple of eight
PICTURE = drawn(HEIGHT, WIDTH)
PLAIN = encode(PICTURE, "JPEG", quality=90)
LARGE = encode(drawn(600, 800), "JPEG")
RESTARTS = encode(PICTURE, "JPEG", quality=90, restart_marker_blocks=2)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ADOBE_RGB = profiles.of_screen(profiles.ADOBE_RGB, 2.2)
LAST_RESTART = RESTARTS.rindex(b"\xff" + bytes([0xD0 + 7]))
MIDDLE = len(PLAIN) * 2 // 3  # of the scan


def upright(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[274] = orientation
    return exif


def put(at: int, data: bytes, into: bytes = PLAIN) -> bytes:
    return into[:at] + data + into[at + len(data) :]


TAKEN = {
    "4:2:0": encode(PICTURE, "JPEG", subsampling=2),
    "4:2:2": encode(PICTURE, "JPEG", subsampling=1),
    "4:4:4": encode(PICTURE, "JPEG", subsampling=0),
    "with codes of its own": encode(PICTURE, "JPEG", optimize=True),
    "extended sequential": PLAIN.replace(b"\xff\xc0", b"\xff\xc1", 1),
    "with restarts": RESTARTS,
    "with a restart each row": encode(PICTURE, "JPEG", restart_marker_rows=1),
    "upright": encode(PICTURE, "JPEG", exif=upright(1)),
    "with sRGB's profile": encode(PICTURE, "JPEG", icc_profile=SRGB),
    "with a remark": encode(PICTURE, "JPEG", comment="a remark"),
}
LEFT = {
    "another format": encode(PICTURE, "PNG"),
    "nothing": b"",
    "progressive": encode(PICTURE, "JPEG", progressive=True),
    "lossless": lossless_jpeg(WIDTH, HEIGHT),
    "grey": encode(PICTURE.convert("L"), "JPEG"),
    "four inks": encode(PICTURE.convert("CMYK"), "JPEG"),
    "red, green and blue as they are": encode(PICTURE, "JPEG", keep_rgb=True),
    "turned": encode(PICTURE, "JPEG", exif=upright(6)),
    "other colours": encode(PICTURE, "JPEG", icc_profile=ADOBE_RGB),
    "smaller than the model's": encode(drawn(31, 200), "JPEG"),
    "of four megabytes": PLAIN[:2] + (b"\xff\xfe\xff\xff" + bytes(65533)) * 65 + PLAIN[2:],
    "without its end": PLAIN[:-2],
    "more behind its end": PLAIN + bytes(4),
    "two pictures": PLAIN + PLAIN,
    "junk between segments": PLAIN[:20] + b"junk" + PLAIN[20:],
    "a mark in the scan": put(MIDDLE, b"\xff\xc4"),
    "its end in the scan": put(MIDDLE, b"\xff\xd9"),
    "a restart that is none": put(MIDDLE, b"\xff\xd0"),
    "a restart lost": put(LAST_RESTART, b"\0\0", RESTARTS),
    "a restart out of turn": put(LAST_RESTART, b"\xff\xd0", RESTARTS),
    "a hole": put(len(LARGE) // 2, bytes(512), LARGE),
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_plain_photo_may_be_decoded_elsewhere(name: str) -> None:
    assert plain_pixels(TAKEN[name], DecodeLimits(), 32) == HEIGHT * WIDTH


@pytest.mark.parametrize("name", LEFT)
def test_all_others_are_left_to_libjpeg(name: str) -> None:
    assert plain_pixels(LEFT[name], DecodeLimits(), 32) == 0


@pytest.mark.parametrize(
    "limits", [DecodeLimits(max_pixels=HEIGHT * WIDTH - 1), DecodeLimits(max_bytes=len(PLAIN) - 1)]
)
def test_a_file_beyond_the_limits_is_left_to_what_says_so(limits: DecodeLimits) -> None:
    assert plain_pixels(PLAIN, limits, 32) == 0

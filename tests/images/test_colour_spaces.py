"""Pictures in other colour spaces come out as a screen of sRGB shows them."""

import struct
import sys
from io import BytesIO

import numpy as np
import pillow_heif
import pytest
import torch
from PIL import Image, ImageCms

from lib.images.decode import decode
from lib.images.formats import DecodeLimits
from lib.reasons import ItemError, Reason
from tests.helpers import profiles
from tests.helpers.pictures import chunk, drawn, encode, with_chunks

LIMITS = DecodeLimits()
ADOBE = profiles.of_screen(profiles.ADOBE_RGB, 2.2)
P3 = profiles.of_screen(profiles.DISPLAY_P3, 2.2)
PROPHOTO = profiles.of_screen(profiles.PROPHOTO, 1.8, profiles.D50)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PNG = encode(drawn(), "PNG")


def seen(data: bytes) -> torch.Tensor:
    return torch.from_numpy(decode(data, LIMITS))


def linear(levels: torch.Tensor) -> torch.Tensor:
    values = levels.double() / 255
    return torch.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
def test_a_colour_of_a_wider_space_is_the_same_light_on_a_screen_of_srgb(file_format: str) -> None:
    options = {"quality": 100, "lossless": file_format == "WEBP"}
    image = Image.new("RGB", (16, 16), (120, 128, 110))
    data = encode(image, file_format, icc_profile=ADOBE, **options)
    # Adobe RGB and sRGB share white, red and blue: only red and green mix differently
    stored = (torch.tensor([120, 128, 110]).double() / 255) ** 2.2
    mixed = torch.tensor([[1.3983, -0.3983, 0], [0, 1, 0], [0, -0.0429, 1.0429]]).double() @ stored
    assert torch.allclose(linear(seen(data)[:, 8, 8]), mixed, atol=0.012)


@pytest.mark.parametrize("profile", [P3, PROPHOTO], ids=["Display P3", "ProPhoto"])
def test_grey_stays_grey_and_colours_grow_stronger(profile: bytes) -> None:
    grey = seen(encode(Image.new("RGB", (8, 8), (128, 128, 128)), "PNG", icc_profile=profile))
    assert int(grey.max()) - int(grey.min()) <= 2
    skin = seen(encode(Image.new("RGB", (8, 8), (200, 150, 120)), "PNG", icc_profile=profile))
    apart = int(skin[0, 0, 0]) - int(skin[2, 0, 0])
    assert apart > 200 - 120


def test_an_image_with_srgbs_own_profile_keeps_its_very_pixels() -> None:
    for file_format in ("PNG", "JPEG", "WEBP"):
        for mode in ("RGB", "L"):
            image = drawn().convert(mode)
            plain, named = encode(image, file_format), encode(image, file_format, icc_profile=SRGB)
            assert torch.equal(seen(named), seen(plain))


def test_a_profile_of_four_inks_says_how_they_print() -> None:
    def printed(*amounts: int) -> list[int]:
        image = Image.new("CMYK", (16, 16), amounts)
        data = encode(image, "JPEG", quality=95, icc_profile=profiles.of_inks())
        return [int(level) for level in seen(data)[:, 8, 8]]

    assert min(printed(0, 0, 0, 0)) >= 253
    assert 20 < min(printed(0, 0, 0, 255)) <= max(printed(0, 0, 0, 255)) < 60  # no black hole
    red, green, blue = printed(255, 0, 0, 0)
    assert red < green < blue < 220  # duller than a screen's cyan


@pytest.mark.parametrize(
    "data",
    [
        encode(drawn(), "PNG", icc_profile=b"no profile at all" * 20),
        encode(drawn(), "PNG", icc_profile=profiles.of_grey(1.0)),
        encode(drawn(), "PNG", icc_profile=profiles.of_inks()),
        encode(drawn(), "PNG", icc_profile=ADOBE[:200]),
    ],
    ids=["unreadable", "of grey", "of inks", "cut short"],
)
def test_a_profile_that_is_broken_or_of_other_colours_is_none(data: bytes) -> None:
    assert torch.equal(seen(data), seen(PNG))


def test_transparency_stays_where_colours_change() -> None:
    image = drawn()
    image.putalpha(Image.new("L", image.size, 0))
    image.paste((10, 200, 30, 255), (0, 0, 32, 48))
    for mode in ("RGBA", "P"):
        pixels = seen(encode(image.convert(mode), "PNG", icc_profile=PROPHOTO))
        assert (pixels[:, :, 32:] == 255).all()
        assert int(pixels[0, 10, 10]) < 10


def test_gamma_counts_where_it_stands_alone() -> None:
    def gamma(value: int, *more: bytes) -> torch.Tensor:
        return seen(with_chunks(PNG, chunk(b"gAMA", struct.pack(">I", value)), *more))

    plain = seen(PNG)
    light = gamma(100_000)
    assert torch.allclose(linear(light), plain.double() / 255, atol=0.005)
    assert torch.equal(gamma(45_455), plain)  # what most files say, and it means sRGB
    assert torch.equal(gamma(0), plain)
    assert torch.equal(gamma(100_000, chunk(b"sRGB", b"\0")), plain)
    wide = encode(drawn(), "PNG", icc_profile=PROPHOTO)
    assert torch.equal(
        seen(with_chunks(wide, chunk(b"gAMA", struct.pack(">I", 100_000)))), seen(wide)
    )


def test_grey_has_a_gamma_of_its_own() -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    for data in (
        encode(ramp, "PNG", icc_profile=profiles.of_grey(1.0)),
        encode(ramp, "TIFF", icc_profile=profiles.of_grey(1.0)),
    ):
        expected = torch.arange(256).reshape(16, 16).double() / 255
        assert torch.allclose(linear(seen(data)[1]), expected, atol=0.006)


def test_heic_is_decoded_where_its_extra_is_installed() -> None:
    image, out = drawn(), BytesIO()
    pillow_heif.from_pillow(image).save(out, quality=95)
    apart = seen(out.getvalue()).permute(1, 2, 0).numpy().astype(int) - np.asarray(image)
    assert np.abs(apart).mean() < 4
    with pytest.raises(ItemError) as caught:
        seen(out.getvalue()[:-200])
    assert caught.value.reason is Reason.TRUNCATED


def test_without_the_extra_a_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    with pytest.raises(ItemError, match=r"pip install 'reshelve\[heic\]'") as caught:
        seen(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    assert caught.value.reason is Reason.UNSUPPORTED_FORMAT


@pytest.mark.parametrize("levels", ["full", "limited"])
@pytest.mark.parametrize("kind", ["plain", "transparent", "animated"])
def test_an_avif_has_the_levels_that_its_colr_box_and_its_stream_say(
    kind: str, levels: str
) -> None:
    picture, options = drawn(), {"range": levels, "quality": 95, "subsampling": "4:4:4"}
    if kind == "transparent":
        picture.putalpha(255)
        picture.putpixel((0, 0), (0, 0, 0, 0))
    more = {"save_all": True, "append_images": [picture]} if kind == "animated" else {}
    file = encode(picture, "AVIF", **options, **more)
    # primaries, transfer, matrix, and then the flag of full range
    box = b"colrnclx" + bytes([0, 1, 0, 13, 0, 6, 0x80 if levels == "full" else 0])
    assert file.count(b"colrnclx") == file.count(box) > 0

    original = np.asarray(drawn(), float)
    apart = np.abs(seen(file).permute(1, 2, 0).numpy() - original)

    of_the_other_range = np.abs(np.clip((original - 16) * 255 / 219, 0, 255) - original)
    assert apart[1:].mean() < 1.5 < of_the_other_range[1:].mean() / 4

import numpy as np
import pytest
from PIL import Image, ImageOps

from benchmarks.altered import ALTERATIONS
from lib.images.looks import MOST_BITS, differing, looks_of
from tests.helpers.catalogs import draw

PICTURES = [draw(seed).resize((320, 240)) for seed in range(12)]
# shapes at the sides, light ones on light grounds, and small ones whose plain ground is cut off
LOST = {"crop, 15 %", "colour, brighter", "border, white", "border, black"}
KEPT = [kind for kind in ALTERATIONS if kind not in LOST]


@pytest.mark.parametrize("kind", KEPT)
def test_a_picture_that_a_shop_has_altered_looks_as_it_did(kind: str) -> None:
    for picture in PICTURES:
        altered = ALTERATIONS[kind](picture)

        assert differing(looks_of(picture), looks_of(altered)) <= MOST_BITS


@pytest.mark.parametrize("kind", ["border, white", "border, black"])
def test_a_photo_that_fills_its_frame_looks_as_it_did_within_a_border(kind: str) -> None:
    for seed in range(12):
        spots = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
        photo = Image.fromarray(spots).resize((320, 240), Image.Resampling.BICUBIC)

        assert differing(looks_of(photo), looks_of(ALTERATIONS[kind](photo))) <= MOST_BITS


def test_other_pictures_look_otherwise() -> None:
    looks = np.stack([looks_of(picture) for picture in PICTURES])
    apart = differing(looks[:, None], looks[None])

    assert (apart[np.triu_indices(len(looks), 1)] > MOST_BITS).all()
    assert (np.diag(apart) == 0).all()


def test_a_border_around_a_border_is_cut_off() -> None:
    (picture,) = PICTURES[:1]
    framed = ImageOps.expand(ImageOps.expand(picture, 24, "black"), (60, 0), "white")

    assert differing(looks_of(picture), looks_of(framed)) <= MOST_BITS


@pytest.mark.parametrize("colour", ["white", "black"])
def test_a_picture_with_nothing_on_it_has_looks(colour: str) -> None:
    assert looks_of(Image.new("RGB", (300, 200), colour)).shape == (4,)


def test_a_line_is_no_border() -> None:
    thin = Image.new("L", (500, 1), 128)

    assert looks_of(thin).shape == (4,)

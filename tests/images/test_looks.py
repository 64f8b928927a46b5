from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images

from benchmarks.altered import ALTERATIONS
from lib.images.looks import look_alike, looks_of, stacked
from tests.helpers.catalogs import draw
from tests.images.test_scaling import SHARED

PICTURES = [draw(seed).resize((320, 240)) for seed in range(12)]
CUT_OFF = [kind for kind in ALTERATIONS if kind.startswith("crop, 15 %")]
BORDERS = ["border, white", "border, black"]
# shapes at the sides, light ones on light grounds, and small ones whose plain ground is cut off
LOST = {"crop, 5 % of each length", *CUT_OFF, *BORDERS, "badge", "colour, brighter"}
# what is cut off one side, or is covered, may be what a hash was of
SOME_LOST = {"crop, 15 %, of one corner", "badge"}
KEPT = [kind for kind in ALTERATIONS if kind not in LOST]
NEAR, NEARER = 0.75, 0.85  # cosines as copies have them; the second also where a part is cut off


def photos() -> list[Image.Image]:
    """Photos of a temple and of a flower, and their halves."""
    whole = [Image.fromarray(each) for each in load_sample_images().images]
    return [*whole, *(each.crop((x, 0, x + 320, 427)) for each in whole for x in (0, 320))]


def are_near(one: Sequence[Image.Image], other: Sequence[Image.Image], cosine: float) -> list[bool]:
    """Say of each two pictures whether they look alike."""
    rows = np.arange(len(one))
    looks = stacked([looks_of(each) for each in (*one, *other)])
    alike = look_alike(looks, rows, rows + len(one), np.full(len(one), cosine, np.float32))
    return [bool(each) for each in alike]


@pytest.mark.parametrize("kind", KEPT)
def test_a_picture_that_a_shop_has_altered_looks_as_it_did(kind: str) -> None:
    assert all(are_near(PICTURES, [ALTERATIONS[kind](each) for each in PICTURES], NEAR))


@pytest.mark.parametrize("kind", ALTERATIONS)
def test_a_photo_that_a_shop_has_altered_looks_as_it_did(kind: str) -> None:
    cosine = NEARER if kind in {*CUT_OFF, "badge"} else NEAR
    near = are_near(photos(), [ALTERATIONS[kind](each) for each in photos()], cosine)

    assert sum(near) >= len(near) - (2 if kind in SOME_LOST else 0)


@pytest.mark.parametrize("kind", BORDERS)
def test_a_photo_that_fills_its_frame_looks_as_it_did_within_a_border(kind: str) -> None:
    for seed in range(12):
        spots = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
        photo = Image.fromarray(spots).resize((320, 240), Image.Resampling.BICUBIC)

        assert are_near([photo], [ALTERATIONS[kind](photo)], NEAR) == [True]


@pytest.mark.parametrize("pictures", [PICTURES, photos()], ids=["drawn", "photos"])
def test_other_pictures_look_otherwise(pictures: Sequence[Image.Image]) -> None:
    ones, others = np.triu_indices(len(pictures), 1)
    looks = stacked([looks_of(picture) for picture in pictures])

    assert not look_alike(looks, ones, others, np.full(len(ones), NEARER, np.float32)).any()


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="the shared files are not here")
def test_clothes_that_are_photographed_alike_look_otherwise_and_their_copies_as_they_did() -> None:
    shirts = sorted((SHARED / "data" / "clothing" / "test" / "shirt").iterdir())
    pictures = [ImageOps.exif_transpose(Image.open(path)) for path in shirts]
    ones, others = np.triu_indices(len(pictures), 1)
    looks = stacked([looks_of(picture) for picture in pictures])

    assert not look_alike(looks, ones, others, np.full(len(ones), NEARER, np.float32)).any()
    near = are_near(pictures, [ALTERATIONS["crop, 15 %"](each) for each in pictures], NEARER)
    assert sum(near) >= 0.9 * len(near)


def test_a_border_around_a_border_is_cut_off() -> None:
    (picture,) = PICTURES[:1]
    framed = ImageOps.expand(ImageOps.expand(picture, 24, "black"), (60, 0), "white")

    assert are_near([picture], [framed], NEAR) == [True]


@pytest.mark.parametrize("colour", ["white", "black"])
def test_a_picture_with_nothing_on_it_looks_like_none(colour: str) -> None:
    plain = Image.new("RGB", (300, 200), colour)

    assert are_near([plain, PICTURES[0]], [plain, plain], NEARER) == [False, False]


def test_what_cannot_be_seen_looks_like_none() -> None:
    looks = stacked([None, looks_of(PICTURES[0]), None])

    assert not look_alike(looks, np.array([0, 1]), np.array([2, 0]), np.ones(2, np.float32)).any()


def test_a_line_is_no_border() -> None:
    thin = Image.new("L", (500, 1), 128)

    assert looks_of(thin).hashes.shape == (4,)

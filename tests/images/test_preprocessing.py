import numpy as np
import pytest
import torch
from pydantic import ValidationError

from lib.images import resize as resizing
from lib.images.normalise import normalise
from lib.images.preprocessing import Preprocessing
from lib.images.resampling import by_products, by_torch


def make(**changes: object) -> Preprocessing:
    fields = {"size_px": 32, "fit": "crop", "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.25, 0.3)}
    return Preprocessing.model_validate({**fields, **changes})


def resize(picture: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """Resize in both ways, and return what both give."""
    given = picture.numpy()
    one, other = (resizing.resize(given, preprocessing, by) for by in (by_torch, by_products))
    assert np.array_equal(one, other)
    return torch.from_numpy(one)


def noise(height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(height * 31 + width)
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
@pytest.mark.parametrize(
    ("height", "width"), [(32, 32), (100, 40), (41, 97), (1, 1), (1, 20_000), (20_000, 1), (3, 7)]
)
def test_every_picture_comes_out_in_the_models_size(fit: str, height: int, width: int) -> None:
    resized = resize(noise(height, width), make(fit=fit))
    assert resized.shape == (3, 32, 32)
    assert resized.dtype == torch.uint8
    assert resized.is_contiguous()


@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
def test_a_picture_of_the_right_size_is_left_as_it_is(fit: str) -> None:
    assert torch.equal(resize(noise(32, 32), make(fit=fit)), noise(32, 32))


def test_crop_keeps_the_middle_and_no_more() -> None:
    picture = torch.zeros(3, 60, 180, dtype=torch.uint8)
    picture[:, :, 60:120] = 200
    assert torch.equal(resize(picture, make(fit="crop")), torch.full((3, 32, 32), 200).byte())
    upright = picture.transpose(1, 2)
    assert torch.equal(resize(upright, make(fit="crop")), torch.full((3, 32, 32), 200).byte())


def test_pad_keeps_all_of_the_picture_on_white() -> None:
    picture = torch.zeros(3, 50, 100, dtype=torch.uint8)
    picture[:, :, :50] = 90
    padded = resize(picture, make(fit="pad"))
    assert (padded[:, :8] == 255).all()
    assert (padded[:, 24:] == 255).all()
    assert (padded[:, 8:24, :15] == 90).all()
    assert (padded[:, 8:24, 17:] == 0).all()


def test_squash_keeps_all_of_the_picture_and_fills_the_frame() -> None:
    picture = torch.zeros(3, 50, 100, dtype=torch.uint8)
    picture[:, :, :50] = 90
    squashed = resize(picture, make(fit="squash"))
    assert (squashed[:, :, :15] == 90).all()
    assert (squashed[:, :, 17:] == 0).all()


def test_crop_before_resize_differs_from_crop_after_it_only_at_the_edge() -> None:
    from torchvision.transforms.v2 import functional  # noqa: PLC0415  # takes three seconds

    picture = functional.gaussian_blur(noise(120, 90), [9, 9])
    after = functional.center_crop(functional.resize(picture, [32], antialias=True), [32, 32])
    ours = resize(picture, make(fit="crop")).int()
    assert (ours - after.int())[:, 4:-4, 4:-4].abs().float().mean() < 6


@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
def test_the_order_in_memory_does_not_change_the_pixels(fit: str) -> None:
    picture = noise(70, 50)
    interleaved = picture.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    assert torch.equal(resize(picture, make(fit=fit)), resize(interleaved, make(fit=fit)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_normalise_subtracts_the_mean_and_divides_by_the_deviation(dtype: torch.dtype) -> None:
    batch = torch.stack([noise(32, 32), noise(32, 32).flip(1)])
    kept = batch.clone()
    result = normalise(batch, make(), dtype)
    mean = torch.tensor([0.4, 0.5, 0.6], dtype=torch.float64).view(1, 3, 1, 1)
    std = torch.tensor([0.2, 0.25, 0.3], dtype=torch.float64).view(1, 3, 1, 1)
    expected = (batch.double() / 255 - mean) / std
    assert result.dtype == dtype
    assert result.shape == batch.shape
    assert torch.allclose(result.double(), expected, rtol=torch.finfo(dtype).eps, atol=2e-6)
    assert torch.equal(batch, kept)


def test_the_digest_names_the_settings_and_nothing_else() -> None:
    assert make().digest == make(mean=[0.4, 0.5, 0.6]).digest
    assert make().digest == Preprocessing.model_validate_json(make().model_dump_json()).digest
    assert len(make().digest) == 64
    others = [make(size_px=33), make(fit="pad"), make(mean=(0.4, 0.5, 0.7)), make(std=(1, 1, 1))]
    others.append(make(decode="scaled-2x"))
    assert len({make().digest, *(other.digest for other in others)}) == 6


def test_the_digest_stays_the_same_from_release_to_release() -> None:
    expected = "c4bbf110a7ace06bbe3b6a485d44c0526853ad3dd0fd81f9806729f10b6b7f03"
    assert make().digest == expected
    assert make(decode="full").digest == expected


def test_what_an_earlier_version_wrote_is_written_again_as_it_was() -> None:
    written = (
        '{"size_px":32,"fit":"crop","mean":[0.4,0.5,0.6],"std":[0.2,0.25,0.3],'
        '"interpolation":"bilinear-antialias"}'
    )
    read = Preprocessing.model_validate_json(written)
    assert read.decode == "full"
    assert read.model_dump_json() == written


def test_how_pictures_are_decoded_is_written_where_it_is_new() -> None:
    scaled = make(decode="scaled-2x")
    assert Preprocessing.model_validate_json(scaled.model_dump_json()) == scaled


@pytest.mark.parametrize(
    "changes",
    [
        {"size_px": 7},
        {"size_px": 2_049},
        {"fit": "stretch"},
        {"std": (0.2, 0, 0.3)},
        {"mean": (0.4, float("nan"), 0.6)},
        {"mean": (0.4, 0.5)},
        {"interpolation": "nearest"},
        {"decode": "scaled"},
        {"resize_px": 256},
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        make(**changes)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        make().size_px = 64

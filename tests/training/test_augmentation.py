import pytest
import torch
from torch import Tensor

from lib.training.augmentation import augment
from lib.training.config import AugmentationConfig

STILL = {"zoom": 0, "stretch": 0, "rotation_degrees": 0, "flip": False, "light": 0}
STRONGEST = {"zoom": 0.99, "stretch": 0.99, "rotation_degrees": 180, "flip": True, "light": 0.99}


def config(**changes: object) -> AugmentationConfig:
    return AugmentationConfig.model_validate({**STILL, **changes})


def noise(count: int = 8, size: int = 40) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)


def ramp(size: int = 64, count: int = 16) -> Tensor:
    """Draw pictures whose grey rises from 40 to 200 from left to right."""
    line = torch.linspace(40, 200, size).to(torch.uint8)
    return line.expand(count, 3, size, size).contiguous()


def augmented(images: Tensor, settings: AugmentationConfig, seed: int = 0) -> Tensor:
    return augment(images, settings, torch.Generator().manual_seed(seed))


def test_the_same_state_gives_the_same_pictures_and_another_gives_others() -> None:
    one = augmented(noise(), AugmentationConfig(), seed=3)
    assert torch.equal(one, augmented(noise(), AugmentationConfig(), seed=3))
    assert not torch.equal(one, augmented(noise(), AugmentationConfig(), seed=4))


def test_the_result_does_not_depend_on_the_global_state() -> None:
    torch.manual_seed(1)
    one = augmented(noise(), AugmentationConfig())
    torch.manual_seed(2)
    assert torch.equal(one, augmented(noise(), AugmentationConfig()))


def test_every_picture_of_a_batch_is_changed_in_its_own_way() -> None:
    result = augmented(noise(1).repeat(6, 1, 1, 1), AugmentationConfig())
    assert len({tuple(picture.flatten().tolist()) for picture in result}) == 6


@pytest.mark.parametrize("size", [8, 33, 224])
def test_with_all_at_zero_a_picture_stays_as_it_is(size: int) -> None:
    result = augmented(noise(3, size), config())
    assert result.dtype == torch.float32
    assert (result - noise(3, size)).abs().max() < 0.05


def test_flip_only_mirrors_and_only_some() -> None:
    images = noise(32)
    result = augmented(images, config(flip=True))
    kept = [(r - i).abs().max() < 0.05 for r, i in zip(result, images, strict=True)]
    mirrored = [(r - i.flip(2)).abs().max() < 0.05 for r, i in zip(result, images, strict=True)]
    assert all(one != other for one, other in zip(kept, mirrored, strict=True))
    assert 8 <= sum(mirrored) <= 24


def test_light_changes_brightness_and_contrast_but_moves_nothing() -> None:
    result = augmented(ramp(), config(light=0.2))
    rising = result.diff(dim=3)
    assert (rising >= 0).all()
    assert torch.allclose(result, result[:, :, :1].expand_as(result), atol=1e-3)
    means = result.mean(dim=(1, 2, 3))
    assert (means - ramp().float().mean()).abs().max() <= 0.2 * 128 + 0.1
    assert means.std() > 5


def test_zoom_crops_and_never_shows_what_is_not_in_the_picture() -> None:
    result = augmented(ramp(), config(zoom=0.5))
    assert (result.diff(dim=3) >= -0.01).all()  # a border that is reflected would fall
    spread = result.amax(dim=(1, 2, 3)) - result.amin(dim=(1, 2, 3))
    assert spread.min() < 0.8 * 160
    assert spread.min() > 0.45 * 160


def test_rotation_turns_about_the_middle() -> None:
    images = torch.zeros(8, 3, 41, 41, dtype=torch.uint8)
    images[:, :, 19:22, 19:22] = 255
    result = augmented(images, config(rotation_degrees=180))
    assert (result[:, :, 20, 20] > 250).all()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_whatever_happens_pixels_stay_in_0_to_255(value: int) -> None:
    for images in (noise(64), torch.full((64, 3, 16, 16), value, dtype=torch.uint8)):
        result = augmented(images, AugmentationConfig.model_validate(STRONGEST))
        assert result.shape == images.shape
        assert result.isfinite().all()
        assert 0 <= result.min() <= result.max() <= 255


def test_an_autocast_around_it_changes_nothing() -> None:
    images = noise(4, 224)
    for settings in (config(), AugmentationConfig()):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = augmented(images, settings)
        assert torch.equal(result, augmented(images, settings))


def test_the_given_pictures_are_not_changed() -> None:
    images = noise()
    augmented(images, AugmentationConfig())
    assert torch.equal(images, noise())


@pytest.mark.parametrize("images", [noise(1), noise(1, 1)], ids=["one", "one-pixel"])
def test_one_picture_is_a_batch_too(images: Tensor) -> None:
    assert augmented(images, AugmentationConfig()).shape == images.shape

"""What a run file leaves open about the network is settled as its page says."""

from typing import Any

import pytest

from lib.errors import InputError
from lib.models.choice import choose_model
from lib.models.config import ChosenModel, ModelConfig

HALF = (0.5, 0.5, 0.5)
IMAGENET = (0.485, 0.456, 0.406)


def choose(**said: Any) -> ChosenModel:  # noqa: ANN401  # keys of a run file
    return choose_model(ModelConfig.model_validate(said))


def test_a_run_file_that_names_no_model_has_the_packages_weights_and_their_pixels() -> None:
    chosen = choose()

    assert (chosen.architecture, chosen.weights) == ("timm/tf_efficientnet_lite0", "package")
    seen = chosen.preprocessing
    assert (seen.size_px, seen.fit, seen.mean, seen.std) == (224, "crop", HALF, HALF)


@pytest.mark.parametrize(
    ("architecture", "weights", "becomes"),
    [
        ("resnet18", None, ("resnet18", "none")),
        ("timm/resnet50", None, ("timm/resnet50", "a1_in1k")),
        ("timm/resnet50", "default", ("timm/resnet50", "a1_in1k")),
        ("timm/resnet50.tv_in1k", None, ("timm/resnet50", "tv_in1k")),
        ("timm/resnet50.tv_in1k", "none", ("timm/resnet50", "none")),
        ("timm/resnet50", "tv_in1k", ("timm/resnet50", "tv_in1k")),
        ("timm/resnet50.tv_in1k", "w.pth", ("timm/resnet50", "w.pth")),
        ("timm/tf_efficientnet_lite0.in1k", None, ("timm/tf_efficientnet_lite0", "in1k")),
        # a name that timm has given up
        ("timm/tf_efficientnet_b0_ns", None, ("timm/tf_efficientnet_b0", "ns_jft_in1k")),
    ],
)
def test_weights_that_are_not_named_are_those_that_fit_the_network(
    architecture: str, weights: str | None, becomes: tuple[str, str]
) -> None:
    chosen = choose(architecture=architecture, weights=weights)

    assert (chosen.architecture, chosen.weights) == becomes


@pytest.mark.parametrize(
    ("architecture", "weights", "size_px", "mean"),
    [
        ("resnet18", "none", 224, IMAGENET),
        ("efficientnet_b3", "IMAGENET1K_V1", 300, IMAGENET),
        ("timm/tf_efficientnet_lite1", "default", 240, HALF),
        ("timm/resnet50", "a1_in1k", 224, IMAGENET),
        ("timm/vit_base_patch16_clip_224.openai", None, 224, (0.48145466, 0.4578275, 0.40821073)),
        ("timm/tf_efficientnet_lite1", "mine.safetensors", 240, HALF),
    ],
)
def test_size_and_mean_follow_the_weights(
    architecture: str, weights: str, size_px: int, mean: tuple[float, float, float]
) -> None:
    seen = choose(architecture=architecture, weights=weights).preprocessing

    assert seen.size_px == size_px
    assert seen.mean == pytest.approx(mean)


def test_pictures_are_decoded_smaller_unless_a_run_file_says_otherwise() -> None:
    assert choose().preprocessing.decode == "scaled-2x"
    assert choose(preprocessing={"decode": "full"}).preprocessing.decode == "full"


def test_a_single_key_of_the_preprocessing_can_be_set() -> None:
    seen = choose(preprocessing={"size_px": 96, "fit": "squash"}).preprocessing

    assert (seen.size_px, seen.fit, seen.mean, seen.std) == (96, "squash", HALF, HALF)


@pytest.mark.parametrize(
    ("architecture", "weights", "says"),
    [
        ("timm/resnet51", None, r"architecture: timm has no 'resnet51'; did you mean 'timm/resnet"),
        ("resnet19", None, r"architecture: torchvision .* did you mean 'resnet18'\?"),
        ("timm/resnet50", "IMAGENET1K_V1", "timm has no 'IMAGENET1K_V1' for resnet50; it has a1_"),
        ("timm/resnet50.a9", None, "timm has no 'a9' for resnet50; it has a1_"),
        ("timm/resnet50", "package", "'package' has the weights of timm/tf_efficientnet_lite0 al"),
        ("resnet18", "package", "'package' is for a network of timm, and 'resnet18' is torchvis"),
        ("resnet18", "hf-hub:timm/resnet18.a1_in1k", "is for a network of timm"),
        ("timm/resnet50.a1_in1k", "a2_in1k", "'a2_in1k' and .*'.a1_in1k' are not the same weight"),
        ("timm/resnet200", None, "timm has no weights for resnet200; give a file's path"),
    ],
)
def test_names_that_do_not_fit_end_in_one_sentence(
    architecture: str, weights: str | None, says: str
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        choose(architecture=architecture, weights=weights)

    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("model.")

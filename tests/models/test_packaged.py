import pytest
import torch

from lib.images.preprocessing import Preprocessing
from lib.models.choice import choose_model
from lib.models.classifier import build_classifier
from lib.models.config import DEFAULT_ARCHITECTURE, ModelConfig, PreprocessingConfig
from lib.models.packaged import SIZE_PX, WANTED, is_packaged, packaged_classifier
from lib.models.pretrained import load_backbone, parameters_of
from lib.models.timm_models import PREFIX, pretrained_of
from tests.helpers import catalogs


@pytest.mark.networks
def test_the_tensors_are_those_of_the_network_that_timm_builds_in_its_order() -> None:
    built = build_classifier(DEFAULT_ARCHITECTURE, 7, SIZE_PX)
    load_backbone(built, DEFAULT_ARCHITECTURE, "package", catalogs.LOCAL)
    expected = parameters_of(built)

    found = packaged_classifier(7, catalogs.LOCAL)

    assert [*found] == [*expected]
    for name, value in found.items():
        assert (value.dtype, value.shape) == (expected[name].dtype, expected[name].shape), name
        assert name.startswith("head.") or torch.equal(value, expected[name]), name


def test_what_the_network_wants_to_be_shown_is_what_timm_says() -> None:
    known = pretrained_of(DEFAULT_ARCHITECTURE.removeprefix(PREFIX))

    assert (known.mean, known.std) == (WANTED["mean"], WANTED["std"])
    assert known.input_size == (3, WANTED["size_px"], WANTED["size_px"])


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (ModelConfig(), True),
        (ModelConfig(weights="package"), True),
        (ModelConfig(weights="none"), False),
        (ModelConfig(preprocessing=PreprocessingConfig(size_px=64)), False),
        (ModelConfig(architecture="resnet18"), False),
    ],
)
def test_only_the_default_network_with_its_own_weights_and_size_needs_none_built(
    config: ModelConfig, *, expected: bool
) -> None:
    chosen = choose_model(config)

    assert isinstance(chosen.preprocessing, Preprocessing)
    assert is_packaged(chosen) == expected

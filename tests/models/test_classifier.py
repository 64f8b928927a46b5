import pytest
import torch

from lib.errors import InputError
from lib.models.classifier import build_classifier


@pytest.mark.parametrize("name", ["regnet_y_400mf", "ResNet18", "squeezenet1_1"])
def test_logits_are_the_head_of_the_embeddings(name: str) -> None:
    classifier = build_classifier(name, 5, 64).eval()
    images = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        embeddings = classifier.backbone(images)
        assert embeddings.ndim == 2
        assert torch.equal(classifier(images), classifier.head(embeddings))
        assert classifier(images).shape == (3, 5)


@pytest.mark.parametrize("size_px", [48, 80])
def test_a_vision_transformer_is_built_for_its_size(size_px: int) -> None:
    with torch.device("meta"):
        classifier = build_classifier("vit_b_16", 4, size_px)
        assert classifier(torch.empty(1, 3, size_px, size_px)).shape == (1, 4)


def test_a_new_classifier_is_ready_to_be_trained() -> None:
    classifier = build_classifier("shufflenet_v2_x0_5", 4, 32)
    assert all(module.training for module in classifier.modules())
    assert all(parameter.requires_grad for parameter in classifier.parameters())


@pytest.mark.parametrize(
    ("name", "size_px"), [("vit_b_16", 100), ("maxvit_t", 100), ("squeezenet1_1", 8)]
)
def test_a_size_that_the_architecture_cannot_take_is_refused(name: str, size_px: int) -> None:
    with pytest.raises(InputError, match=rf"size_px: {name} cannot take images of {size_px} px"):
        build_classifier(name, 2, size_px)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("resnet19", "did you mean 'resnet18'"),
        ("tf_efficientnet_lite0", "did you mean 'timm/tf_efficientnet_lite0'"),
        ("", "it has resnet18"),
        ("r3d_18", ""),
        ("quantized_resnet18", ""),
        ("fcn_resnet50", ""),
    ],
)
def test_a_name_that_torchvision_does_not_have_is_refused_with_one_that_is_near(
    name: str, says: str
) -> None:
    with pytest.raises(
        InputError, match=rf"model\.architecture: torchvision .* '{name}'; .*{says}"
    ):
        build_classifier(name, 2, 64)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("timm/tf_efficientnet_light0", "did you mean 'timm/tf_efficientnet_lite0'"),
        ("timm/", "it has tf_efficientnet_lite0"),
        ("timm/hf-hub:timm/resnet18", "it has tf_efficientnet_lite0"),
        ("timm/efficientnet_b3_pruned_", "did you mean 'timm/efficientnet_b3_pruned'"),
    ],
)
def test_a_name_that_timm_does_not_have_is_refused_with_one_that_is_near(
    name: str, says: str
) -> None:
    with pytest.raises(InputError, match=rf"model\.architecture: timm has no '.*'; .*{says}"):
        build_classifier(name, 2, 64)


@pytest.mark.networks
@pytest.mark.parametrize(
    "name",
    ["tf_efficientnet_lite0", "mobilenetv3_small_050", "vit_tiny_patch16_224", "test_convnext"],
)
def test_a_network_of_timm_gives_one_embedding_per_image(name: str) -> None:
    classifier = build_classifier(f"timm/{name}", 5, 64).eval()
    with torch.no_grad():
        embeddings = classifier.backbone(torch.randn(3, 3, 64, 64))
        assert embeddings.shape == (3, classifier.head.in_features)
        assert classifier.head(embeddings).shape == (3, 5)


def test_a_name_that_timm_has_given_up_is_followed() -> None:
    classifier = build_classifier("timm/tf_efficientnet_b0_ns", 5, 64)
    assert type(classifier.backbone).__name__ == "EfficientNet"

import pytest
import torch

from lib.models.classifier import build_classifier
from lib.training.cut import find_cut

pytestmark = pytest.mark.networks


@pytest.mark.parametrize(
    ("architecture", "layer"),
    [
        ("timm/tf_efficientnet_lite0", "blocks.1"),
        ("timm/tf_efficientnet_lite0", "blocks.5"),
        ("resnet18", "layer2.0"),
        ("shufflenet_v2_x0_5", "conv5.0"),
        ("swin_t", "features.7"),
    ],
)
def test_the_last_layers_make_of_features_what_the_whole_makes_of_pixels(
    architecture: str, layer: str
) -> None:
    whole = build_classifier(architecture, 3, 64)
    cut = find_cut(whole, layer, 64)
    assert cut
    pixels = torch.randn(4, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(cut.last(cut.features(pixels)), whole(pixels))


@pytest.mark.parametrize(
    ("architecture", "layer"), [("resnet18", "layer4.0"), ("squeezenet1_1", "features.9")]
)
def test_the_last_layers_keep_their_own_names_and_values(architecture: str, layer: str) -> None:
    whole = build_classifier(architecture, 3, 64)
    cut = find_cut(whole, layer, 64)
    assert cut
    parts, all_of_them = cut.last.state_dict(), whole.state_dict()
    assert parts.keys() < all_of_them.keys()
    assert all(torch.equal(all_of_them[name], value) for name, value in parts.items())


def test_a_network_whose_parts_do_not_give_the_same_is_not_cut() -> None:
    whole = build_classifier("timm/vit_tiny_patch16_224", 3, 224)
    assert find_cut(whole, "blocks.5", 224) is None


def test_learning_in_the_last_layers_leaves_the_whole_network_as_it_is() -> None:
    whole = build_classifier("squeezenet1_1", 3, 64)
    before = {name: value.clone() for name, value in whole.state_dict().items()}
    cut = find_cut(whole, "features.9", 64)
    assert cut
    for parameter in cut.last.parameters():
        parameter.data.add_(1)
    assert all(torch.equal(before[name], value) for name, value in whole.state_dict().items())

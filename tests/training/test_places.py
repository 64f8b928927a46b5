import tempfile
from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist

from lib.images.preprocessing import Preprocessing
from lib.models.classifier import build_classifier
from lib.training.config import AugmentationConfig
from lib.training.inputs import Pixels
from lib.training.places import affordable_layers, find_places

pytestmark = pytest.mark.networks

PREPROCESSING = Preprocessing(size_px=64, fit="crop", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


@pytest.fixture(autouse=True)
def group() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        dist.init_process_group("gloo", init_method=f"file://{folder}/all", rank=0, world_size=1)
        yield
        dist.destroy_process_group()


def pixels(count: int) -> Pixels:
    return Pixels(
        train=torch.zeros(count, 3, 64, 64, dtype=torch.uint8),
        validation=torch.zeros(0, 3, 64, 64, dtype=torch.uint8),
        preprocessing=PREPROCESSING,
        augmentation=AugmentationConfig(),
        batch_size=4,
        device=torch.device("cpu"),
    )


def test_the_places_come_in_order_and_the_last_leaves_half_of_the_parameters() -> None:
    places, photo_s = find_places(build_classifier("resnet18", 3, 64), torch.zeros(2, 3, 64, 64))
    assert [each.layer for each in places][1:] == [
        f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)
    ][:7]
    shares = [each.before for each in places]
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] < 1
    assert photo_s > 0


def test_features_are_as_large_as_what_the_layer_is_given() -> None:
    places, _ = find_places(build_classifier("resnet18", 3, 64), torch.zeros(2, 3, 64, 64))
    sizes = {each.layer: each.feature_bytes for each in places}
    assert sizes["layer2.0"] == 64 * 16 * 16 * 2
    assert sizes["layer4.0"] == 256 * 4 * 4 * 2


def test_with_time_enough_the_first_place_is_the_best() -> None:
    layers = affordable_layers(build_classifier("resnet18", 3, 64), pixels(8), 10.0, 1000.0)
    assert layers[0] == "bn1"
    assert layers[-1] == "layer4.0"


def test_the_less_time_there_is_the_fewer_layers_learn() -> None:
    whole = build_classifier("resnet18", 3, 64)
    some = affordable_layers(whole, pixels(8), 1000.0, 600.0)
    assert some[0] not in ("bn1", "layer1.0")
    assert affordable_layers(whole, pixels(8), 1000.0, 1.0) == ["layer4.0"]


def test_a_network_without_such_layers_has_no_place() -> None:
    assert affordable_layers(build_classifier("densenet121", 3, 64), pixels(4), 1.0, 9.0) == []


def test_places_whose_features_do_not_fit_in_memory_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = build_classifier("resnet18", 3, 64)
    monkeypatch.setattr("lib.training.places.MEMORY_SHARE", 0.0)
    assert affordable_layers(whole, pixels(8), 10.0, 1000.0) == ["layer4.0"]

import pytest
from torch.optim import AdamW

from lib.models.classifier import Classifier, build_classifier
from lib.training.groups import parameter_groups


@pytest.fixture(scope="module", params=["shufflenet_v2_x0_5", "squeezenet1_1", "efficientnet_b0"])
def model(request: pytest.FixtureRequest) -> Classifier:
    return build_classifier(request.param, 3, 64)


def factors(model: Classifier, layer_decay: float) -> dict[str, float]:
    """Return each parameter's share of the rate, by its name."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = parameter_groups(model, layer_decay)
    return {names[id(each)]: group["factor"] for group in groups for each in group["params"]}


def test_every_parameter_is_in_exactly_one_group(model: Classifier) -> None:
    found = [id(each) for group in parameter_groups(model, 0.8) for each in group["params"]]
    assert sorted(found) == sorted(id(each) for each in model.parameters())


def test_the_nearer_a_layer_is_to_the_head_the_faster_it_learns(model: Classifier) -> None:
    found = factors(model, 0.8)
    in_order = [found[name] for name, _ in model.named_parameters()]
    assert in_order == sorted(in_order)
    assert in_order[-1] == 1
    assert in_order[0] <= 0.8**3


def test_without_decay_all_layers_learn_alike(model: Classifier) -> None:
    assert set(factors(model, 1.0).values()) == {1.0}


def test_neither_norms_nor_biases_are_drawn_to_nothing(model: Classifier) -> None:
    optimizer = AdamW(parameter_groups(model, 0.8), weight_decay=0.05)
    head = {id(each) for each in model.head.parameters()}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if id(parameter) not in head:
                assert group["weight_decay"] == (0.05 if parameter.ndim > 1 else 0)


def test_the_head_alone_is_told_to_be_it(model: Classifier) -> None:
    (head,) = [group for group in parameter_groups(model, 0.8) if group["is_head"]]
    assert [id(each) for each in head["params"]] == [id(each) for each in model.head.parameters()]


def test_a_block_of_a_stage_is_a_layer_of_its_own() -> None:
    found = factors(build_classifier("resnet18", 3, 64), 0.5)
    first, second = (found[f"backbone.layer4.{block}.conv1.weight"] for block in (0, 1))
    assert first == 0.5 * second
    assert found["backbone.layer3.1.conv1.weight"] == 0.5 * first

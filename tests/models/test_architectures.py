import pytest
import torch

from lib.models.classifier import architectures, build_classifier

pytestmark = pytest.mark.networks
# their constructors compute with numbers that the meta device does not have
NOT_ON_META = [name for name in architectures() if name.startswith("regnet")]
ON_META = [name for name in architectures() if name not in NOT_ON_META]


@pytest.mark.parametrize("name", ON_META)
def test_every_architecture_gets_a_head_of_the_asked_width(name: str) -> None:
    size_px = 299 if name == "inception_v3" else 224
    with torch.device("meta"):
        classifier = build_classifier(name, 7, size_px).eval()
    with torch.no_grad():
        # the head takes embeddings of its own width alone
        logits = classifier(torch.empty(2, 3, size_px, size_px, device="meta"))
    assert logits.shape == (2, 7)


def test_all_the_regnets_are_of_one_family() -> None:
    assert len(NOT_ON_META) == 15  # so that the one in test_classifier stands for them

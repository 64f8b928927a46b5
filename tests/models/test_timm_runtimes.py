"""Networks of timm run with OpenVINO, in int8 and with torch alike."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, interpolate

from lib.images.jpeg import Pixels
from lib.images.preprocessing import Preprocessing
from lib.models.classifier import build_classifier
from lib.models.openvino_convert import convert, quantise
from lib.models.openvino_runtime import OpenVinoNetwork
from lib.models.pretrained import load_backbone
from lib.models.runtimes import Network
from lib.models.torch_runtime import TorchNetwork
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage

pytestmark = [pytest.mark.networks, pytest.mark.timeout(240)]
pytest.importorskip("openvino")
BATCH = 8
HALF = (0.5, 0.5, 0.5)
SEEN = Preprocessing(size_px=64, fit="pad", mean=HALF, std=HALF)
LITE0 = "timm/tf_efficientnet_lite0"


def pictures() -> Pixels:
    """Return pictures of smooth colours: uint8 [8, 3, s, s]."""
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(BATCH, 3, 4, 4, generator=generator) * 255
    return (
        interpolate(coarse, (SEEN.size_px, SEEN.size_px), mode="bilinear").to(torch.uint8).numpy()
    )


def make(architecture: str, weights: str) -> nn.Module:
    classifier = build_classifier(architecture, 2, SEEN.size_px)
    load_backbone(classifier, architecture, weights, Storage(StorageConfig()))
    return classifier.backbone.eval().requires_grad_(requires_grad=False)


def embed_with_torch(backbone: nn.Module) -> Tensor:
    return embed(TorchNetwork(backbone, SEEN, torch.device("cpu"), "fp32"))


def embed(network: Network) -> Tensor:
    return torch.from_numpy(network(pictures())).float()


@pytest.mark.parametrize(
    ("architecture", "weights"), [(LITE0, "package"), ("timm/vit_tiny_patch16_224", "none")]
)
def test_openvino_gives_the_embeddings_that_torch_gives(architecture: str, weights: str) -> None:
    backbone = make(architecture, weights)

    network = OpenVinoNetwork(convert(backbone, SEEN), precision="fp32", batch=BATCH, threads=1)

    expected = embed_with_torch(backbone)
    off = (embed(network) - expected).norm(dim=1) / expected.norm(dim=1)
    # as much as float16 rounds what is kept; weights in fp16 would be off by five times that
    assert off.max() < 3e-4


def test_the_default_network_runs_in_int8() -> None:
    backbone = make(LITE0, "package")

    files = quantise(convert(backbone, SEEN), pictures())
    network = OpenVinoNetwork(files, precision="int8", batch=BATCH, threads=1)

    # whether labels are as good in int8 is judged at each training; pictures of noise lose more
    assert cosine_similarity(embed(network), embed_with_torch(backbone)).mean() > 0.7

"""Makes a sample of bundles whose networks an older timm has built, with what they gave.

The older timm comes first on the path, and everything else is today's:

    pip install --no-deps --target OLD timm==0.6.13
    PYTHONPATH=OLD:. python -m tests.formats.bundles.make tests/formats/bundles/timm-0.6.13.tar.xz
"""

import io
import sys
import tarfile
import tempfile
import warnings
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lib.images.normalise import normalise
from lib.images.preprocessing import Preprocessing
from lib.models.bundle import BundleInfo
from lib.models.bundle_weights import write_bundle
from lib.models.classifier import Classifier
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.taxonomy.taxonomy import parse_taxonomy

# the default network; and one whose tensors have had other names, and more of them
NETWORKS = ["tf_efficientnet_lite0", "levit_128s"]
PREPROCESSING = Preprocessing(size_px=224, fit="pad", mean=(0.5,) * 3, std=(0.5,) * 3)
TAXONOMY = parse_taxonomy("version: 1\ncategories: [{id: a}, {id: b}, {id: c}]\n", "taxonomy.yaml")


def pixels() -> Tensor:
    """Return pictures by a formula: uint8 [2, 3, 224, 224]."""
    place = torch.arange(2 * 3 * 224 * 224).reshape(2, 3, 224, 224)
    return ((place * 7 + place // 997) % 256).to(torch.uint8)


def fill(classifier: Classifier) -> None:
    """Give every tensor other values by a formula whose short period compresses well."""
    with torch.no_grad():
        for number, (name, value) in enumerate(classifier.state_dict().items()):
            if not value.is_floating_point():
                continue
            places = torch.arange(value.numel()) * (number % 5 + 1) + number
            wave = (places % 13 - 6).reshape(value.shape) / 6
            inputs = value[0].numel() if value.ndim > 1 else 1
            match name.rpartition(".")[2]:
                case "weight" if value.ndim > 1:
                    value.copy_(wave * 2 / inputs**0.5)
                case "weight":
                    value.copy_(1 + wave / 4)
                case _:
                    value.copy_(wave / 10)
        norms = [each for each in classifier.modules() if isinstance(each, _BatchNorm)]
        for norm in norms:  # else values would grow, or fade, from layer to layer
            norm.momentum = 1
        classifier.train()(normalise(pixels(), PREPROCESSING, torch.float32))
        for norm in norms:
            for kept in (norm.running_mean, norm.running_var):
                assert kept is not None
                kept.copy_(kept.half())
        classifier.eval()


def outputs(classifier: Classifier) -> dict[str, Tensor]:
    """Return what a classifier gives for the pictures: embeddings [2, d], logits [2, 3]."""
    with torch.no_grad():
        images = normalise(pixels(), PREPROCESSING, torch.float32)
        embeddings: Tensor = classifier.backbone(images)
        return {"embeddings": embeddings, "logits": classifier.head(embeddings)}


def make(name: str, folder: Path) -> None:
    """Write one network's bundle, and beside it what it gave."""
    import timm  # noqa: PLC0415  # the older one

    backbone = timm.create_model(name, pretrained=False, num_classes=0).eval()
    width = backbone(torch.zeros(1, 3, 224, 224)).shape[1]
    classifier = Classifier(backbone, nn.Linear(width, 3)).eval()
    fill(classifier)
    info = BundleInfo(
        run_id="made",
        architecture=f"timm/{name}",
        weights="none",
        preprocessing=PREPROCESSING,
        category_ids=TAXONOMY.leaves,
        temperature=1,
        threshold=0.5,
        target_precision=0.95,
        metrics={},
    )
    write_bundle(str(folder / "bundle"), Storage(StorageConfig()), classifier, TAXONOMY, info)
    (folder / "outputs.safetensors").write_bytes(safetensors.torch.save(outputs(classifier)))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with (
        tempfile.TemporaryDirectory() as made,
        tarfile.open(sys.argv[1], "w:xz", preset=9) as archive,
    ):
        for each in NETWORKS:
            make(each, Path(made, each))
        for path in sorted(p for p in Path(made).rglob("*") if p.is_file()):
            entry = tarfile.TarInfo(str(path.relative_to(made)))
            entry.size = path.stat().st_size
            archive.addfile(entry, io.BytesIO(path.read_bytes()))

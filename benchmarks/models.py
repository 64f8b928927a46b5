"""The benchmarks' models: each as a bundle, and with the same weights as its peers load them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision
import yaml
from torch import nn

from benchmarks.contenders import run
from lib.images.formats import DecodeLimits
from lib.images.preparer import Decoder
from lib.images.preprocessing import Preprocessing
from lib.images.resize import normalise
from lib.models.bundle import Bundle, BundleInfo, read_bundle
from lib.models.bundle_weights import load_classifier, write_bundle, write_compiled
from lib.models.classifier import Classifier, build_classifier
from lib.models.openvino_runtime import convert
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.taxonomy.taxonomy import parse_taxonomy

SIZE_PX = 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PREPROCESSING = Preprocessing(size_px=SIZE_PX, fit="crop", mean=MEAN, std=STD)
TRAINING_LIMIT_S = 480
LOCAL = Storage(StorageConfig())


@dataclass(frozen=True)
class Model:
    """One model: a bundle, and a state dict for torchvision's own class."""

    architecture: str
    bundle: str
    weights: str


def fine_tune(photos: Path, weights: Path, taxonomy: Path, folder: Path) -> Model:
    """Fine-tune a ResNet-18 on product photos; where an earlier benchmark has, nothing is done."""
    folder.mkdir(parents=True, exist_ok=True)
    run_file = folder / "train.yaml"
    described = {
        "output": str(folder),
        "run_id": "resnet18",
        "taxonomy": str(taxonomy),
        "catalog": {"uri": str(photos / "train"), "labels": "folder"},
        "validation": {"uri": str(photos / "validation"), "labels": "folder"},
        "model": {
            "architecture": "resnet18",
            "weights": str(weights),
            "preprocessing": PREPROCESSING.model_dump(mode="json"),
        },
        "strategy": "finetune",
        "training": {"epochs": 2},
        "embeddings": str(folder / "embeddings"),
    }
    run_file.write_text(yaml.safe_dump(described))
    run(["jobs.train", str(run_file)], {}, TRAINING_LIMIT_S)
    bundle = read_bundle(str(folder / "resnet18" / "bundle"), LOCAL)
    return _for_peers(bundle, folder)


def make_untrained(architecture: str, photos: Sequence[Path], folder: Path) -> Model:
    """Write seeded weights, with a head that spreads the photos over 10 categories.

    An untrained head's probabilities are all but equal, so that every call would be close, and be
    made twice.
    """
    torch.manual_seed(0)
    leaves = "".join(f"  - {{id: c{n}, name: c{n}}}\n" for n in range(10))
    taxonomy = parse_taxonomy(f'version: "1"\ncategories:\n{leaves}', "taxonomy.yaml")
    classifier = build_classifier(architecture, 10, SIZE_PX).eval()
    _spread(classifier, photos)
    uri = str(folder / f"bundle-{architecture}")
    files = convert(classifier.backbone, PREPROCESSING)
    info = BundleInfo(
        run_id="bench",
        architecture=architecture,
        weights="none",
        preprocessing=PREPROCESSING,
        category_ids=taxonomy.leaves,
        temperature=1.0,
        threshold=0.5,
        target_precision=0.95,
        metrics={},
        digests=write_compiled(uri, LOCAL, files),
    )
    return _for_peers(write_bundle(uri, LOCAL, classifier, taxonomy, info), folder)


@torch.no_grad()
def _spread(classifier: Classifier, photos: Sequence[Path]) -> None:
    """Scale and centre the head so that logits differ as a trained model's do."""
    decoder = Decoder(PREPROCESSING, DecodeLimits())
    pixels = [decoder(photo.read_bytes()).pixels for photo in photos[:64]]
    batch = torch.stack([each for each in pixels if each is not None])
    embeddings = classifier.backbone(normalise(batch, PREPROCESSING, torch.float32))
    logits = classifier.head(embeddings)
    classifier.head.weight *= 5 / logits.std(dim=0, keepdim=True).T
    classifier.head.bias.copy_(-(embeddings @ classifier.head.weight.T).mean(dim=0))


def _for_peers(bundle: Bundle, folder: Path) -> Model:
    """Save a bundle's weights under the names of torchvision's own class."""
    classifier = load_classifier(bundle, LOCAL)
    architecture = bundle.info.architecture
    whole = torchvision.models.get_model(
        architecture, weights=None, num_classes=len(bundle.info.category_ids)
    )
    head = [name for name, each in whole.named_modules() if isinstance(each, nn.Linear)][-1]
    state = classifier.backbone.state_dict()
    state |= {f"{head}.{name}": value for name, value in classifier.head.state_dict().items()}
    whole.load_state_dict(state)
    path = folder / f"{architecture}.pth"
    torch.save(whole.state_dict(), path)
    return Model(architecture, bundle.uri, str(path))

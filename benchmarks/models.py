"""The benchmarks' models: each as a bundle, and with the same weights as its peers load them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torchvision
import yaml
from torch import nn

from benchmarks.contenders import FailedError
from benchmarks.labels import draw
from benchmarks.timed import run_timed
from lib.hashing import digest_json
from lib.models.bundle import Bundle, read_bundle
from lib.models.bundle_weights import load_classifier
from lib.models.choice import choose_model
from lib.models.config import ModelConfig
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage

LABELS = "100"  # of each category
# what is never accepted is never a close call; of such a network's items none would be at 0.95
RESNET_PRECISION = 0.75
TRAINING_LIMIT_S = 420.0
LOCAL = Storage(StorageConfig())


@dataclass(frozen=True)
class Model:
    """One model: a bundle, and a state dict for torchvision's own class.

    A root of the embeddings, which a bundle's head may take, has no place in the state dict. It
    costs next to nothing, and nobody compares the labels of peers.
    """

    architecture: str
    bundle: str
    weights: str


def fit_resnet(photos: Path, weights: Path, taxonomy: Path, folder: Path) -> Model:
    """Fit a head on a ResNet-18 of product photos; where an earlier benchmark has, nothing is done.

    Raises:
        FailedError: the training has not ended.
    """
    model = {"architecture": "resnet18", "weights": str(weights)}
    settings = {"model": model, "accept": {"precision": RESNET_PRECISION}}
    return _for_peers(_train(photos, taxonomy, folder, settings), folder)


def fit_default(photos: Path, taxonomy: Path, folder: Path) -> Model:
    """Fit a head on the default network; where an earlier benchmark has, nothing is done.

    Raises:
        FailedError: the training has not ended.
    """
    bundle = _train(photos, taxonomy, folder, {})
    return Model(bundle.info.architecture.removeprefix("timm/"), bundle.uri, weights="")


def _train(photos: Path, taxonomy: Path, folder: Path, settings: Mapping[str, Any]) -> Bundle:
    """Fit a head with the preprocessing that is the default; other inputs have another name."""
    chosen = choose_model(ModelConfig.model_validate(settings.get("model", {})))
    inputs = [settings, chosen.preprocessing.digest, taxonomy.read_text(), _state_of(photos)]
    run_id = f"{chosen.architecture.split('/')[-1]}-{LABELS}-{digest_json(inputs)[:8]}"
    drawn = draw(photos, LABELS, 0, folder / f"{run_id}-photos")
    described = {
        "output": str(folder),
        "run_id": run_id,
        "taxonomy": str(taxonomy),
        "catalog": {"uri": str(drawn.train)},
        "validation": {"uri": str(photos / "validation"), "labels": "folder"},
        "embeddings": str(folder / "embeddings"),
        "reading": {"stores": ["/"]},
        "strategy": "head",
        **settings,
    }
    run_file = folder / f"{run_id}.yaml"
    run_file.write_text(yaml.safe_dump(described))
    ran = run_timed(["jobs.train", str(run_file)], TRAINING_LIMIT_S, run_file.with_suffix(".log"))
    if ran.failure:
        raise FailedError(f"the training of {chosen.architecture} failed: {ran.failure}")
    return read_bundle(str(folder / run_id / "bundle"), LOCAL)


def _state_of(photos: Path) -> list[tuple[str, int, int]]:
    """Return name, bytes and time of each photo, of which the files of a disk have their etags."""
    found = [(path, path.stat()) for path in sorted(photos.glob("*/*/*"))]
    return [(str(path), stat.st_size, stat.st_mtime_ns) for path, stat in found]


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

"""What the peers that train share: arguments, manifests, the network, and where answers go."""

import argparse
import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import timm
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import Dataset


def parser() -> argparse.ArgumentParser:
    """Return what every peer is told."""
    found = argparse.ArgumentParser()
    found.add_argument("--train", required=True, help="CSV with the columns uri and category_id")
    found.add_argument("--test", required=True, help="the same")
    found.add_argument("--answers", required=True, help="Parquet to write")
    found.add_argument("--network", required=True, help="timm's name")
    found.add_argument("--weights", required=True, help="state dict")
    found.add_argument("--classes", type=int, required=True, help="of the head in the weights")
    found.add_argument("--size-px", type=int, required=True)
    found.add_argument("--seed", type=int, default=0)
    return found


def read_manifest(path: str) -> tuple[list[str], list[str]]:
    """Return uris and their categories."""
    with Path(path).open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["uri"] for row in rows], [row["category_id"] for row in rows]


def pretrained(given: argparse.Namespace) -> dict[str, Any]:
    """Return what `timm.create_model` is told, so that it takes the weights from the file."""
    size_px = given.size_px
    return {
        "pretrained": True,
        "pretrained_cfg_overlay": {
            "file": given.weights,
            "num_classes": given.classes,
            "input_size": (3, size_px, size_px),
        },
    }


def load_network(given: argparse.Namespace, categories: int) -> nn.Module:
    """Build the network with the file's weights and a new head; none for 0 categories."""
    network: nn.Module = timm.create_model(
        given.network, num_classes=categories, **pretrained(given)
    )
    return network


class Photos(Dataset[tuple[Tensor, int]]):
    """Photos with the numbers of their categories."""

    def __init__(self, uris: list[str], targets: list[int], transform: Any) -> None:  # noqa: ANN401  # timm's
        """Keep them; each is read when it is asked for."""
        self._uris, self._targets, self._transform = uris, targets, transform

    def __len__(self) -> int:
        """Count the photos."""
        return len(self._uris)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        """Read and transform."""
        with Image.open(self._uris[place]) as image:
            return self._transform(image.convert("RGB")), self._targets[place]


def write_answers(
    path: str, manifest: tuple[list[str], list[str]], names: list[str], probabilities: Tensor
) -> None:
    """Write what was said of each photo of a manifest, float [n, names]."""
    uris, categories = manifest
    confidence, best = probabilities.float().max(dim=1)
    columns = {
        "uri": uris,
        "category_id": categories,
        "predicted": [names[place] for place in best.tolist()],
        "confidence": confidence.numpy(),
    }
    pq.write_table(pa.table(columns), path)

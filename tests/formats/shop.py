"""The shop that the samples are of: its photos, its taxonomies, its network, its run files."""

import io
from typing import Any

import numpy as np
import safetensors.torch
import torch
import torchvision
from PIL import Image, ImageDraw

BUCKET = "reshelve-formats"
URI = f"s3://{BUCKET}"
COLOURS = {
    "shirt": (215, 40, 40),
    "knitwear": (225, 150, 40),
    "trousers": (40, 190, 60),
    "skirt": (40, 170, 190),
    "shoes": (40, 60, 210),
}
TAXONOMY = """\
version: "1"
categories:
  - id: clothing
    name: Clothing
    children:
      - id: tops
        name: Tops
        children: [{id: shirt, name: Shirts}, {id: knitwear, name: Knitwear}]
      - id: bottoms
        name: Bottoms
        children: [{id: trousers, name: Trousers}, {id: skirt, name: Skirts}]
  - {id: shoes, name: Shoes}
"""
TAXONOMY_2 = """\
version: "2"
replaces:
  version: "1"
  renamed: {shoes: footwear}
  merged: {legwear: [trousers, skirt]}
  split: {shirt: [blouse, polo]}
categories:
  - id: tops
    name: Tops
    children: [{id: blouse, name: Blouses}, {id: polo, name: Polos}, {id: knitwear}]
  - {id: legwear, name: Legwear}
  - {id: footwear, name: Footwear}
"""
TRAINING: dict[str, Any] = {
    "taxonomy": f"{URI}/taxonomy.yaml",
    "catalog": {"uri": f"{URI}/photos/labelled.csv"},
    "model": {
        "architecture": "squeezenet1_1",
        "weights": f"{URI}/backbone.safetensors",
        "preprocessing": {
            "size_px": 32, "fit": "crop", "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25],
        },
    },
    "embeddings": f"{URI}/labelled-embeddings",
    "training": {"epochs": 3, "batch_size": 8, "precision": "fp32"},
    "workers": {"count": 1, "cpus": 0.5},
}  # fmt: skip
CLASSIFYING: dict[str, Any] = {
    "bundle": f"{URI}/runs/trained/bundle",
    "embeddings": f"{URI}/embeddings",
    "engine": {
        "device": "cpu", "runtime": "torch", "precision": "fp32",
        "actors": 1, "cpus_per_actor": 1, "batch_size": 8, "unit_size": 2,
    },
}  # fmt: skip
PUBLISHING: dict[str, Any] = {
    "labels_table": f"{URI}/labels",
    "gates": {"max_error_rate": 0.5, "max_category_changes": None, "max_mix_shift": None},
}
BACKFILL: dict[str, Any] = {
    **CLASSIFYING,
    **PUBLISHING,
    "taxonomy": f"{URI}/taxonomy-2.yaml",
    "labelled": {
        "catalog": {"uri": f"{URI}/photos/labelled.csv"},
        "examples": f"{URI}/photos/examples.csv",
    },
    "reading": {"stores": [f"{URI}/"]},
}


def category_of(number: int) -> str:
    return list(COLOURS)[number % len(COLOURS)]


def photo(number: int, seed: int = 0) -> bytes:
    """Draw a ground of about the category's colour; one in four is half another's, and so hard."""
    draw = np.random.default_rng([number, seed]).integers
    ground, other = (
        tuple(int(value) for value in COLOURS[category_of(n)] + draw(-15, 16, 3))
        for n in (number, number + int(draw(1, 5)))
    )
    image = Image.new("RGB", (40, 32), ground)
    if number % 4 == 3:
        ImageDraw.Draw(image).rectangle((0, 0, 40, int(draw(12, 20))), fill=other)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def backbone() -> bytes:
    """Make weights that repeat a short pattern: they compress well, and tell colours apart."""
    pattern = torch.randint(0, 2, (1021,), generator=torch.Generator().manual_seed(1)) * 2.0 - 1
    state = {}
    for name, value in torchvision.models.squeezenet1_1(weights=None).features.state_dict().items():
        if value.ndim == 1:
            state[f"features.{name}"] = torch.full_like(value, 0.01)
            continue
        signs = pattern.repeat(value.numel() // len(pattern) + 1)[: value.numel()]
        spread = round(1.3 * (2 / value[0].numel()) ** 0.5, 4)
        state[f"features.{name}"] = spread * signs.reshape(value.shape)
    # of the 512 values of an embedding, all but the first 128 are 0
    state["features.12.expand1x1.bias"][128:] = -1000
    state["features.12.expand3x3.bias"][:] = -1000
    return safetensors.torch.save(state)


def night(name: str, unit_size: int = 2) -> dict[str, Any]:
    engine = {**CLASSIFYING["engine"], "unit_size": unit_size}
    catalog = {"uri": f"{URI}/photos/{name}.csv"}
    return {"catalog": catalog, **CLASSIFYING, **PUBLISHING, "engine": engine}


def training(strategy: str) -> dict[str, Any]:
    return {**TRAINING, "strategy": strategy}

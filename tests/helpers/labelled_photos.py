"""Labelled photos, drawn so that a network tells their categories apart, and a run file."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml
from PIL import Image

from lib.catalog.catalog import CatalogConfig, read_catalog
from lib.embeddings.store import EmbeddingStore
from lib.images.config import ReadingConfig
from lib.models.bundle_weights import backbone_digest
from lib.models.choice import choose_model
from lib.models.config import ModelConfig
from lib.runs import files
from lib.taxonomy.taxonomy import Taxonomy
from lib.training.backbone import BackboneJob, embed_items
from pipelines.train_config import TrainRun
from pipelines.train_inputs import initial_model
from tests.helpers.catalogs import LOCAL, TAXONOMY, TAXONOMY_YAML

COLOURS = {
    "shirt": (200, 40, 40),
    "knitwear": (40, 160, 60),
    "trousers": (40, 60, 200),
    "skirt": (210, 190, 40),
    "shoes": (130, 60, 160),
}
SIDE_PX = 160


def photo(category: str, seed: int) -> Image.Image:
    """Draw a coarse pattern in the colours of a category; each seed gives another one."""
    rng = np.random.default_rng([seed, *category.encode()])
    cells = rng.integers(3, 12)
    light = rng.uniform(0.2, 1.4, (cells, cells, 1))
    pattern = np.clip(light * np.array(COLOURS[category]), 0, 255).astype(np.uint8)
    other = rng.integers(0, 256, 3).astype(np.uint8)
    pattern[rng.random((cells, cells)) < 0.3] = other
    return Image.fromarray(pattern).resize((SIDE_PX, SIDE_PX), Image.Resampling.NEAREST)


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def write_photos(folder: Path, each: int, first: int = 0) -> None:
    """Write photos into a folder for each category."""
    for category in COLOURS:
        (folder / category).mkdir(parents=True, exist_ok=True)
        for seed in range(first, first + each):
            (folder / category / f"{seed:03d}.jpg").write_bytes(jpeg(photo(category, seed)))


def write_run_file(folder: Path, **keys: object) -> Path:
    """Write taxonomy and run file of a training on the folder's `photos`."""
    (folder / "taxonomy.yaml").write_text(TAXONOMY_YAML)
    run_file = folder / "train.yaml"
    given = {
        "output": str(folder / "runs"),
        "taxonomy": str(folder / "taxonomy.yaml"),
        "catalog": {"uri": str(folder / "photos"), "labels": "folder"},
        "embeddings": str(folder / "embeddings"),
        **keys,
    }
    run_file.write_text(yaml.safe_dump(given))
    return run_file


def keep_embeddings(folder: Path, *catalogs: str, taxonomy: Taxonomy = TAXONOMY) -> None:
    """Keep the default network's embeddings of all items that can be read, without Ray."""
    model = choose_model(ModelConfig())
    config = TrainRun(
        taxonomy=str(folder / "taxonomy.yaml"), catalog=CatalogConfig(uri=str(folder / "photos"))
    )
    state = str(folder / files.INITIAL_MODEL)
    LOCAL.write(state, initial_model(config, model, taxonomy, LOCAL))
    job = BackboneJob(
        storage=LOCAL,
        state_uri=state,
        kept_uri=str(folder / "network"),
        architecture=model.architecture,
        categories=len(taxonomy.leaves),
        preprocessing=model.preprocessing,
        reading=ReadingConfig(),
    )
    items = pa.concat_tables(
        read_catalog(CatalogConfig(uri=str(folder / each)), LOCAL) for each in catalogs
    )
    found = embed_items(job, items, "fp32", 1)
    digest = backbone_digest(job.tensors(), model.preprocessing)
    store = EmbeddingStore(str(folder / "embeddings"), digest, LOCAL)
    store.append("kept", [found.rows])

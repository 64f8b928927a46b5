"""Labels from kept embeddings compared with labels from pixels, with one head, on real photos."""

import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from lib.backfill.head_bundle import NewHead, write_head_bundle
from lib.backfill.score_unit import Scorer
from lib.catalog.catalog import CatalogConfig, read_catalog
from lib.embeddings.store import to_matrix
from lib.heads.lda import moments_of
from lib.images.config import ReadingConfig
from lib.images.preprocessing import Preprocessing
from lib.inference.classify_unit import UnitClassifier
from lib.inference.config import EngineConfig, UnitJob
from lib.labels.decisions import Decider
from lib.models.bundle import Bundle, BundleInfo, read_bundle
from lib.models.bundle_weights import write_bundle, write_compiled
from lib.models.classifier import build_classifier
from lib.models.head import Head, read_head
from lib.models.openvino_convert import convert
from lib.models.openvino_runtime import is_installed
from lib.models.pretrained import load_backbone
from lib.runs.run import Run
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.taxonomy.taxonomy import Category, Taxonomy

STORAGE = Storage(StorageConfig())
TRAINED, HELD = 800, 713
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def agree(shared: Path) -> dict[str, float]:
    """Return the share of equal labels, and the images/s of classifying from pixels.

    A pre-trained backbone, an old head by which close calls were made again in float32, and a new
    head on other categories: each photo's label from its kept embedding, and from its pixels.
    """
    photos = shared / "data" / "clothing"
    weights = shared / "weights" / "resnet18-tiny-imagenet.safetensors"
    train = spread(read(photos / "train"), TRAINED)
    held = pa.concat_tables([read(photos / "test"), read(photos / "validation")])
    with tempfile.TemporaryDirectory() as folder:
        plain = make_bundle(f"{folder}/plain", weights, train)
        old = with_head(f"{folder}/run/old", plain, train, lambda category: category)
        started = UnitClassifier(job(old))
        before = time.perf_counter()
        kept = started.embed(held)
        rate = held.num_rows / (time.perf_counter() - before)
        new = with_head(f"{folder}/run/new", plain, train, _other)
        by_pixels = UnitClassifier(job(new)).embed(held).rows
        head = read_head(new, STORAGE, torch.device("cpu"))
        decider = Decider(
            taxonomy=new.taxonomy, category_ids=head.leaves, threshold=new.info.threshold
        )
        matrix = to_matrix(kept.embeddings["embedding"].combine_chunks())
        by_embeddings = Scorer(head, decider).score(matrix)
    columns = ("category_id", "decision")
    ours, theirs = (
        list(zip(*(rows[name].to_pylist() for name in columns), strict=True))
        for rows in (by_embeddings, by_pixels)
    )
    equal = np.array([a == b for a, b in zip(ours, theirs, strict=True)])
    sure = np.array([decision != "review" for _, decision in theirs])
    return {
        "agreement": float(equal.mean()),
        "agreement_of_sure": float(equal[sure].mean()),
        "pixels_images_per_s": rate,
    }


def _other(category: str) -> str:
    """Join two of the categories: the boundaries of the head are other ones."""
    return "tops" if category in {"shirt", "t-shirt"} else category


def read(folder: Path) -> pa.Table:
    """List the photos of a folder."""
    return read_catalog(CatalogConfig(uri=str(folder), labels="folder"), STORAGE)


def spread(items: pa.Table, count: int) -> pa.Table:
    """Take so many items, spread over all."""
    places = np.linspace(0, items.num_rows - 1, count).astype(np.int64)
    return items.take(pa.array(places))


def job(bundle: Bundle) -> UnitJob:
    """Classify as a night on this machine does."""
    return UnitJob(
        run=Run("bench", "", STORAGE),
        bundle_uri=bundle.uri,
        engine=EngineConfig(device="cpu"),
        reading=ReadingConfig(),
    )


def make_bundle(uri: str, weights: Path, items: pa.Table) -> Bundle:
    """Write a bundle of the pre-trained backbone, at 224 px."""
    leaves = sorted(set(items["category_id"].to_pylist()))
    preprocessing = Preprocessing(size_px=224, fit="pad", mean=MEAN, std=STD)
    classifier = build_classifier("resnet18", len(leaves), 224).eval()
    load_backbone(classifier, "resnet18", str(weights), STORAGE)
    compiled = convert(classifier.backbone, preprocessing) if is_installed() else {}
    info = BundleInfo(
        run_id="bench",
        architecture="resnet18",
        weights=str(weights),
        preprocessing=preprocessing,
        category_ids=tuple(leaves),
        temperature=1.0,
        threshold=0.9,
        target_precision=0.95,
        metrics={},
        digests=write_compiled(uri, STORAGE, compiled),
    )
    return write_bundle(uri, STORAGE, classifier, taxonomy_of(leaves), info)


def taxonomy_of(leaves: list[str]) -> Taxonomy:
    """Make a flat taxonomy."""
    return Taxonomy("1", tuple(Category(leaf, leaf, None) for leaf in leaves))


def with_head(uri: str, plain: Bundle, items: pa.Table, label: object) -> Bundle:
    """Fit a head on labelled photos, and write its bundle."""
    assert callable(label), "a function of a category"
    done = UnitClassifier(job(plain)).embed(items)
    vectors = torch.from_numpy(to_matrix(done.embeddings["embedding"].combine_chunks()).copy())
    names = [label(category) for category in items["category_id"].to_pylist()]
    leaves = sorted(set(names))
    targets = torch.tensor([leaves.index(name) for name in names])
    weight, bias = moments_of([vectors], targets, len(leaves)).discriminants()
    nothing = weight.new_empty(0, weight.shape[1]), bias.new_empty(0)
    head = Head(weight, bias, tuple(leaves), 1.0, *nothing)
    write_head_bundle(uri, STORAGE, plain, NewHead(head, 0.9), taxonomy_of(leaves))
    return read_bundle(uri, STORAGE)

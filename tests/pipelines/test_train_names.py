"""Names in a training: judged on the items that judge the head, and used where they help."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import safetensors.torch
import torch
import yaml

from lib.evaluation.held_out import calibrate
from lib.images.config import ReadingConfig
from lib.inference.classify_unit import UnitClassifier
from lib.inference.config import UnitJob
from lib.labels.promises import Accept
from lib.models.bundle import read_bundle
from lib.models.classifier import build_classifier
from lib.names.text import NGrams
from lib.schemas import ITEM_SCHEMA
from lib.taxonomy.taxonomy import Category, Taxonomy
from pipelines.train_head import fit_best_head, scored_by
from pipelines.train_labelled import Labelled
from pipelines.train_names import (
    Promise,
    TrainedNames,
    decide,
    judged_together,
    read_titles,
    train_names,
)
from tests.helpers import catalogs
from tests.helpers.embedded import LEAVES, draw
from tests.helpers.encoders import write_encoder
from tests.helpers.jobs import run_job
from tests.helpers.report_reading import Page

WORDS = ("shirt", "shoe", "watch", "scarf")
TAXONOMY = Taxonomy(version="1", categories=tuple(Category(each, each, None) for each in WORDS))
PROMISE = Promise(taxonomy=TAXONOMY, accept=Accept(precision=0.9))


def labelled(count: int, *, held_out: int, titles: str) -> Labelled:
    """Draw items; titles are `telling`, `useless`, `some` (every second is missing) or `none`."""
    vectors, targets = draw(count, seed=1, apart=0.25)
    random = np.random.default_rng(0)
    names: list[str | None] = []
    for row, target in enumerate(targets.tolist()):
        word = WORDS[target] if random.random() < 0.9 else WORDS[random.integers(LEAVES)]
        colour = ("red", "blue", "green")[random.integers(3)]
        is_there = titles in {"telling", "useless"} or (titles == "some" and row % 2 == 0)
        said = word if titles != "useless" else "thing"
        names.append(f"{colour} {said} {random.integers(1000)}" if is_there else None)
    ids = [f"item-{row}" for row in range(count)]
    columns = {
        "item_id": ids,
        "uri": [f"/{each}" for each in ids],
        "name": pa.array(names, pa.string()),
        "category_id": [WORDS[target] for target in targets.tolist()],
    }
    filled = [columns.get(f.name, pa.nulls(count, f.type)) for f in ITEM_SCHEMA]
    return Labelled(
        items=pa.table(filled, schema=ITEM_SCHEMA),
        vectors=vectors,
        targets=targets,
        photos=ids,
        held_out=held_out,
        unusable=[],
    )


def trained(items: Labelled) -> TrainedNames | None:
    head = fit_best_head(items, LEAVES)
    scored = scored_by(head, items)
    image = calibrate(scored, TAXONOMY, PROMISE.accept)
    folds = head.folds[head.judged] if head.by_fold else None
    titled = read_titles(items, NGrams())
    names = train_names(titled, head.judged, folds, image, PROMISE)
    used = judged_together(image, names, scored.targets, PROMISE)
    probabilities = torch.from_numpy(image.probabilities).float().numpy()
    chosen = names if names and names.judged.used else None
    fused, decided = decide(probabilities, image, chosen)
    assert decided.num_rows == len(fused) == used.evaluation.items
    if chosen is None:
        assert np.array_equal(fused, probabilities)
        assert used is image
    return names


@pytest.mark.parametrize("held_out", [0, 150])
def test_telling_titles_make_labels_better(held_out: int) -> None:
    names = trained(labelled(450, held_out=held_out, titles="telling"))

    assert names
    assert names.judged.used
    assert names.judged.both_right > names.judged.image_right
    assert names.judged.both_right >= names.judged.name_right - 3
    assert names.judged.items == (held_out or 450)


def test_useless_titles_are_judged_and_not_used() -> None:
    names = trained(labelled(450, held_out=150, titles="useless"))

    assert names
    assert not names.judged.used
    assert "are not used" in names.judged.sentence


def test_items_without_a_title_are_judged_by_their_image() -> None:
    names = trained(labelled(450, held_out=150, titles="some"))

    assert names
    assert names.judged.items == 75
    assert names.judged.named.sum() == 75


def test_without_titles_there_is_nothing_to_judge() -> None:
    names = trained(labelled(450, held_out=150, titles="none"))

    assert names is None


SEEN, NEW = 120, 12


def grey_shop(folder: Path, count: int, *, first: int, missing: Sequence[int] = ()) -> Path:
    """Write photos that do not say what they are: the title does. Return the manifest."""
    files, labels, titles = {}, {}, {}
    for number in range(first, first + count):
        word = WORDS[number % LEAVES]
        name = f"{number:03d}.png"
        files[name] = catalogs.encode(catalogs.draw(number, (80 + number % SEEN, 128, 128)), "png")
        labels[name], titles[name] = word, f"Plain {word} no {number}"
    gone = [f"{number:03d}.png" for number in missing]
    kept = {name: data for name, data in files.items() if name not in gone}
    manifest = Path(catalogs.write_catalog(str(folder), kept, labels=labels, missing=gone))
    rows = list(csv.DictReader(manifest.read_text().splitlines()))
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "name"])
        writer.writeheader()
        writer.writerows({**row, "name": titles[row["item_id"]]} for row in rows)
    return manifest


def tiny_encoder(folder: Path) -> dict[str, str]:
    """Write a text encoder that knows the titles' words; return the run file's `names`."""
    pytest.importorskip("sentence_transformers", reason="not installed; make test-text")
    words = (*WORDS, "plain", "no", *map(str, range(10)))
    return {"encoder": str(write_encoder(folder / "tiny", words))}


@pytest.mark.processes
@pytest.mark.timeout(600)
@pytest.mark.parametrize("reads", [lambda _: {}, tiny_encoder], ids=["n-grams", "text-encoder"])
def test_a_training_on_titled_photos_makes_a_bundle_that_reads_titles(
    tmp_path: Path, reads: Callable[[Path], dict[str, str]]
) -> None:
    names = reads(tmp_path)
    torch.manual_seed(3)
    backbone = build_classifier("resnet18", 1, 32).backbone
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(safetensors.torch.save(backbone.state_dict()))
    (tmp_path / "taxonomy.yaml").write_text(TAXONOMY.to_yaml())
    described = {
        "output": str(tmp_path / "runs"),
        "run_id": "one",
        "taxonomy": str(tmp_path / "taxonomy.yaml"),
        "catalog": {"uri": str(grey_shop(tmp_path / "seen", SEEN, first=0))},
        "names": names,
        "strategy": "head",
        "embeddings": str(tmp_path / "embeddings"),
        "model": {
            "architecture": "resnet18",
            "weights": str(weights),
            "preprocessing": catalogs.PREPROCESSING.model_dump(mode="json"),
        },
        "workers": {"count": 1, "cpus": 1},
    }
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(described))

    result = run_job("train", str(tmp_path / "train.yaml"))

    assert result.exit_code == 0, result.output
    assert f"accuracy on {SEEN} items with a name: image alone" in result.output
    assert "without a name: all categories: " in result.output
    run = tmp_path / "runs" / "one"
    bundle = read_bundle(str(run / "bundle"), catalogs.LOCAL)
    assert bundle.info.names
    assert bundle.info.names.encoder == ("tiny" if names else None)
    assert bundle.info.metrics["validation_accuracy"] > 0.95
    page = Page((run / "report.html").read_text())
    assert page.unbalanced == []
    for said in ("Images and names", "image alone", "name alone", "without a usable image"):
        assert said in page.text
    items = catalogs.read_items(str(grey_shop(tmp_path / "new", NEW, first=900, missing=[905])))
    job = UnitJob(
        run=catalogs.run_at("", run_id="a-test"),
        bundle_uri=bundle.uri,
        engine=catalogs.cpu_engine(8),
        reading=ReadingConfig(threads=2),
    )
    rows, receipt = UnitClassifier(job).classify(items)
    assert rows["category_id"].to_pylist() == items["category_id"].to_pylist()
    assert receipt.labelled == NEW
    by_name = {row["item_id"] for row in rows.to_pylist() if row["error_detail"]}
    assert by_name == {"905.png"}

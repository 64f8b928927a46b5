import re
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import torch
from PIL import Image

from lib.evaluation.held_out import Scored, calibrate
from lib.evaluation.label_issues import find_label_issues
from lib.evaluation.predictions import make_predictions
from lib.heads.folds import assign_folds
from lib.heads.learning_curve import learning_curve
from lib.heads.recipes import HeadRecipe
from lib.images.config import ReadingConfig
from lib.images.preprocessing import Preprocessing
from lib.labels.promises import Accept
from lib.models.bundle import Bundle, BundleInfo
from lib.runs import files
from lib.runs.begin import open_run
from lib.runs.run import Intent
from lib.schemas import ITEM_SCHEMA
from lib.taxonomy.taxonomy import parse_taxonomy
from pipelines.train_report import MISTAKES_EACH, Shown, write_report
from tests.helpers.catalogs import LOCAL
from tests.helpers.report_reading import Page

PHOTOS = 40  # of each category
TAXONOMY = parse_taxonomy(
    "version: '1'\ncategories: [{id: hat, name: Hats}, {id: shoe, name: Shoes}]", "here"
)
RECIPE = HeadRecipe(kind="closed form", power=1.0, strength=0.3)


def trained(folder: Path, *, held_out_in_turn: bool = True) -> Shown:
    """A head that takes the first nine hats for shoes; the first of them cannot be read."""
    targets = torch.tensor([0] * PHOTOS + [1] * PHOTOS)
    rows = []
    for at, target in enumerate(targets.tolist()):
        path = folder / f"{at}.png"
        if at:
            Image.new("RGB", (8, 8), (255 * target, 3 * at, 0)).save(path)
        name = f"Photo {at}"
        rows.append(
            {
                "item_id": f"item-{at}",
                "uri": str(path),
                "name": name,
                "category_id": TAXONOMY.leaves[target],
            }
        )
    items = pa.Table.from_pylist(rows, schema=ITEM_SCHEMA)
    ids = items["item_id"].to_pylist()
    folds = assign_folds(ids, targets.tolist(), 5)
    said = targets.clone()
    said[:9] = 1
    logits = torch.nn.functional.one_hot(said, 2).float() * torch.linspace(4, 3, 80).unsqueeze(1)
    calibrated = calibrate(
        Scored(item_ids=ids, logits=logits, targets=targets, unusable=[], train_items=80),
        TAXONOMY,
        Accept(),
    )
    generator = torch.Generator().manual_seed(0)
    embeddings = (torch.randn(80, 8, generator=generator) + said.unsqueeze(1)).half()
    info = BundleInfo(
        run_id="train-1",
        architecture="resnet18",
        weights="none",
        preprocessing=Preprocessing(size_px=8, fit="crop", mean=(0, 0, 0), std=(1, 1, 1)),
        category_ids=TAXONOMY.leaves,
        temperature=1.0,
        threshold=calibrated.threshold,
        target_precision=0.95,
        metrics={},
    )
    predictions = make_predictions(
        items,
        TAXONOMY.leaves,
        torch.softmax(logits, dim=1).numpy(),
        folds=folds.numpy() if held_out_in_turn else None,
    )
    return Shown(
        bundle=Bundle(str(folder / "bundle"), info, TAXONOMY, "sha256:0123"),
        catalog=str(folder),
        items=items,
        train_items=items.num_rows,
        predictions=predictions,
        calibrated=calibrated,
        strategy="head",
        seconds=3.0,
        growth=learning_curve(embeddings, targets, folds, 2, RECIPE),
        issues=find_label_issues(predictions),
    )


def page_of(told: Shown, folder: Path) -> Page:
    intent = Intent(job="train", fingerprint={}, run_file={})
    run = open_run(str(folder / "runs"), "train-1", intent, LOCAL)
    write_report(run, told, ReadingConfig(stores=(str(folder),)))
    return Page(run.read(files.REPORT).decode())


def test_the_report_shows_mistakes_and_likely_wrong_labels_with_their_photos(
    tmp_path: Path,
) -> None:
    page = page_of(trained(tmp_path), tmp_path)

    assert "Right on 71 of 80 items" in page.text
    assert "80 items, each judged by one of 5 models that had not seen it" in page.text
    assert f"{MISTAKES_EACH} of 9 items" in page.text
    assert re.search(r"Shoes confidence [\d.>]+ % in truth Hats [\d.<]+ %", page.text)
    assert re.search(r"Shoes confidence [\d.>]+ % labelled Hats [\d.<]+ %", page.text)
    assert "Photo 1" in page.text
    assert page.text.count("no picture") >= 1  # the photo that is not there
    assert all(image["src"].startswith("data:image/jpeg") for image in page.tags("img"))
    assert len(page.tags("img")) >= MISTAKES_EACH - 1


def test_the_report_says_what_more_labels_would_do_and_stands_where_that_is_not_known(
    tmp_path: Path,
) -> None:
    told = trained(tmp_path)

    with_curve = page_of(told, tmp_path / "a").text
    without = page_of(replace(told, growth=None), tmp_path / "b").text

    assert "with twice the labels" in with_curve
    assert "with twice the labels" not in without
    assert "What more labels would do was not measured." in without


def test_items_that_a_fixed_model_has_not_seen_are_called_held_out(tmp_path: Path) -> None:
    page = page_of(trained(tmp_path, held_out_in_turn=False), tmp_path)

    assert "had not seen: 80 held-out items." in page.text

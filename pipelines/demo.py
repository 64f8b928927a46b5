"""The demo, step by step: draw, train, classify; then search, match and tag what there is."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from lib.config.config import load_run_file
from lib.errors import InputError
from lib.labels.delta_table import LabelsTable
from lib.search.catalog import Asked
from lib.storage.storage import Storage
from pipelines.classify import ClassifyRun, Options, classify
from pipelines.current_bundle import CURRENT
from pipelines.match import match
from pipelines.match_inputs import MatchRun
from pipelines.search import open_search, search
from pipelines.tag_catalog import Places, tag_catalog
from pipelines.train import train
from pipelines.train_config import TrainRun

FOLDER = Path("demo")
ROWS = 10
TAG_PRECISION = 0.9


def demo(draw_catalog: Callable[[Path], Path], run_files: Path, console: Console) -> None:
    """Run the whole path on a drawn catalog, in the folder `demo` below the current one.

    Args:
        draw_catalog: draws a catalog into a folder; returns its manifest.
        run_files: the folder of `demo-train.yaml` and `demo-classify.yaml`.
        console: takes what there is to see.

    Raises:
        InputError: there is a folder `demo` that no demo has made.
    """

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    begin_anew(FOLDER)
    say("1/6 drawing a catalog")
    catalog = draw_catalog(FOLDER / "catalog")
    say("2/6 training on its labelled part")
    train(load_run_file(TrainRun, run_files / "demo-train.yaml"), say)
    say("3/6 classifying all of it")
    config = load_run_file(ClassifyRun, run_files / "demo-classify.yaml")
    classify(config, Options(), say)
    show_rows(config, console)
    storage = Storage(config.storage)
    assert config.embeddings
    say("4/6 searching for what looks like one of its items")
    searched = open_search(config.labels_table, config.embeddings, storage=storage)
    search(searched.catalog.items.rows["item_id"][0].as_py(), None, Asked(top=5), searched, say)
    say("5/6 matching a supplier's feed with it")
    match(load_run_file(MatchRun, run_files / "demo-match.yaml"), say)
    say("6/6 tagging it by a few examples")
    places = Places(
        examples=str(catalog.with_name("tags.csv")),
        tags_table=str(FOLDER / "tags"),
        labels_table=config.labels_table,
        embeddings=config.embeddings,
        bundle=CURRENT,
        html=str(FOLDER / "tags.html"),
    )
    tag_catalog(places, TAG_PRECISION, storage, say)
    say(f"catalog {catalog}\nbundle  {config.bundle}\nlabels  {config.labels_table}")
    reports = ", ".join(f"{each}/report.html" for each in ("train", "classify", "match"))
    say(f"reports in {config.output}: {reports}")
    command, desk = (
        os.path.relpath(each)
        for each in (Path(sys.executable).with_name("reshelve"), run_files / "demo-desk.yaml")
    )
    say(f"decide what is doubtful: {command} desk {desk}")


def begin_anew(folder: Path) -> None:
    """Remove what an earlier demo left; a folder that no demo has made is not touched."""
    if not folder.exists():
        return
    if not (folder / "catalog" / "labelled.csv").exists():
        raise InputError(f"'{folder}' is no demo's folder; the demo wants to write there, move it")
    shutil.rmtree(folder)


def show_rows(config: ClassifyRun, console: Console) -> None:
    """Show some rows of the labels table, spread over the catalog."""
    labels = LabelsTable(config.labels_table, Storage(config.storage)).read()
    labels = labels.sort_by("item_id")
    places = pa.array(range(0, labels.num_rows, labels.num_rows // ROWS), pa.int64())
    columns = ("item_id", "category_path", "confidence", "decision", "error")
    table = Table(*columns, title=f"{ROWS} of {labels.num_rows} rows", title_justify="left")
    for row in labels.take(places[:ROWS]).to_pylist():
        values = [row[column] for column in columns]
        said = [f"{each:.2f}" if isinstance(each, float) else each or "" for each in values]
        table.add_row(*said)
    console.print(table)

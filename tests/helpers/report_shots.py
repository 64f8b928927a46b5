# ruff: noqa: T201  # it speaks to a person
"""Pictures of every report, wide and narrow, of real runs on the drawn catalog.

    make report-shots

A training, a first night, three nights of changes, and a backfill are run in an empty folder; each
report is opened in chromium at 1400 and at 390 px, and what it looks like is written beside it.
"""

import csv
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import yaml
from playwright.sync_api import sync_playwright

from examples.demo_catalog.catalog import draw_catalog
from tests.helpers.browser import launch
from tests.helpers.jobs import run_job

OUT = Path("benchmarks") / "out" / "report-shots"
WIDTHS_PX = (1400, 390)
LABELS_PER_CATEGORY = 4


def main() -> None:
    """Run the jobs and take the pictures."""
    folder = OUT.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    draw_catalog(folder / "catalog")
    _label_few(folder / "catalog")
    _run("train", _train(folder))
    _run("classify", _classify(folder, "night-1"))
    for night in range(2, 5):
        _change(folder / "catalog", night)
        _run("classify", _classify(folder, f"night-{night}"))
    _write_taxonomy(folder)
    _run("backfill", _backfill(folder))
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for report in sorted(folder.glob("runs/*/report.html")):
            for width_px in WIDTHS_PX:
                page = browser.new_page(viewport={"width": width_px, "height": 900})
                page.goto(report.as_uri())
                target = folder / f"{report.parent.name}-{width_px}.png"
                page.screenshot(path=target, full_page=True)
                print(target)
                page.close()
        browser.close()


def _run(job: str, run_file: Path) -> None:
    result = run_job(job, str(run_file))
    if result.exit_code:
        sys.exit(result.output)


def _write(folder: Path, name: str, **run_file: object) -> Path:
    path = folder / f"{name}.yaml"
    text = yaml.safe_dump({"output": str(folder / "runs"), "run_id": name, **run_file})
    path.write_text(text)
    return path


def _train(folder: Path) -> Path:
    return _write(
        folder,
        "train",
        taxonomy=str(folder / "catalog" / "taxonomy.yaml"),
        catalog={"uri": str(folder / "catalog" / "labelled.csv")},
        embeddings=str(folder / "embeddings"),
        strategy="head",
        accept={"precision": 0.9},
    )


def _classify(folder: Path, night: str) -> Path:
    return _write(
        folder,
        night,
        catalog={"uri": str(folder / "catalog" / "catalog.csv")},
        bundle=str(folder / "runs" / "train" / "bundle"),
        labels_table=str(folder / "labels"),
        embeddings=str(folder / "embeddings"),
        gates={"max_category_changes": 0.5},
    )


def _backfill(folder: Path) -> Path:
    return _write(
        folder,
        "backfill",
        bundle=str(folder / "runs" / "train" / "bundle"),
        taxonomy=str(folder / "new-taxonomy.yaml"),
        labels_table=str(folder / "labels"),
        embeddings=str(folder / "embeddings"),
        labelled={"catalog": {"uri": str(folder / "catalog" / "labelled.csv")}},
    )


def _label_few(catalog: Path) -> None:
    """Keep a few labelled items per category, so that there is something to decide."""
    rows = _read(catalog / "labelled.csv")
    kept = Counter[str]()
    few = []
    for row in rows:
        kept[row["category_id"]] += 1
        if kept[row["category_id"]] <= LABELS_PER_CATEGORY:
            few.append(row)
    _write_rows(catalog / "labelled.csv", few)
    _write_rows(
        catalog / "catalog.csv", [{**row, "etag": "1"} for row in _read(catalog / "catalog.csv")]
    )


def _change(catalog: Path, night: int) -> None:
    """Exchange some images of the catalog, take some items out, and break one upload."""
    rows = _read(catalog / "catalog.csv")
    there = [row for row in rows if (catalog / row["uri"]).exists()]
    for one, other in zip(there[night::20], there[night + 10 :: 20], strict=False):
        shutil.copyfile(catalog / other["uri"], catalog / one["uri"])
        one["etag"] = str(night + 1)
    (catalog / there[night]["uri"]).write_bytes(b"")
    _write_rows(catalog / "catalog.csv", [row for at, row in enumerate(rows) if at % 90 != night])


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _write_rows(path: Path, rows: Sequence[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _write_taxonomy(folder: Path) -> None:
    """Merge two categories, move one, and rename one."""
    taxonomy = yaml.safe_load((folder / "catalog" / "taxonomy.yaml").read_text())
    top = taxonomy["categories"]
    first, second = top[0]["children"][:2]
    top[0]["children"].remove(second)
    moved = top[1]["children"].pop()
    top[0]["children"].append(moved)
    replaces = {
        "version": "1",
        "merged": {first["id"]: [first["id"], second["id"]]},
        "moved": [moved["id"]],
    }
    new = {"version": "2", "replaces": replaces, "categories": top}
    (folder / "new-taxonomy.yaml").write_text(yaml.safe_dump(new, sort_keys=False))


if __name__ == "__main__":
    main()

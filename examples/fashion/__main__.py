"""Make a shop of product photos with titles: `python -m examples.fashion PHOTOS FOLDER`.

Reads `items.csv` beside the photos, with the columns item_id, uri, name and `LEVELS`.
"""

import csv
import random
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
import yaml

FEWEST = 25  # photos of an article type
LABELLED = 900
COLUMNS = ("item_id", "uri", "name", "category_id")
LEVELS = ("master_category", "sub_category", "article_type")


def main(
    photos: Annotated[Path, typer.Argument(help="The photos, and items.csv beside them.")],
    folder: Annotated[Path, typer.Argument(help="Where to write.")],
) -> None:
    """Write `taxonomy.yaml`, `labelled.csv`, `catalog.csv` and `tags.csv`."""
    source = photos.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with (source / "items.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = Counter(row["article_type"] for row in rows)
    rows = [row for row in rows if found[row["article_type"]] >= FEWEST]
    random.Random(0).shuffle(rows)  # noqa: S311  # a draw, no secret
    for row in rows:
        row["uri"] = str(source / row["uri"])
        row["category_id"] = _id(row["article_type"])
    taxonomy = yaml.safe_dump({"version": "1", "categories": _tree(rows)})
    (folder / "taxonomy.yaml").write_text(taxonomy, encoding="utf-8")
    _write_rows(folder / "labelled.csv", COLUMNS, rows[:LABELLED])
    _write_rows(folder / "catalog.csv", COLUMNS[:3], rows)
    _write_rows(folder / "tags.csv", ("tag", "item_id", "holds"), _examples(rows))


def _examples(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return what somebody would have clicked: shirts that are checked, and shirts that are not."""
    shirts = [row for row in rows if row["article_type"] == "Shirts"]
    holds = {row["item_id"]: " check" in row["name"].lower() for row in shirts}
    having = [each for each, is_so in holds.items() if is_so][:40]
    others = [each for each, is_so in holds.items() if not is_so][:60]
    return [
        {"tag": "checked", "item_id": each, "holds": "yes" if holds[each] else "no"}
        for each in [*having, *others]
    ]


def _tree(rows: list[dict[str, str]], depth: int = 0) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for name in sorted({row[LEVELS[depth]] for row in rows}):
        inside = [row for row in rows if row[LEVELS[depth]] == name]
        is_leaf = depth + 1 == len(LEVELS)
        below = {} if is_leaf else {"children": _tree(inside, depth + 1)}
        found.append({"id": _id(name, depth), "name": name, **below})
    return found


def _id(name: str, depth: int = 2) -> str:
    """Return an id that no other level has."""
    return ("all-", "group-", "")[depth] + name.lower().replace(" ", "-")


def _write_rows(path: Path, columns: tuple[str, ...], rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    typer.run(main)

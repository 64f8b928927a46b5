"""Labelled photos for the benchmark of accuracy: so many of each category, as CSV manifests."""

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lib.taxonomy.taxonomy import Taxonomy

ALL = "all"
SIDES = TRAIN, VALIDATION, TEST = "train", "validation", "test"
Labelled = list[tuple[str, str]]  # uri and category_id


@dataclass(frozen=True, kw_only=True)
class Draw:
    """The labels that every contender gets, and the photos that it is asked about.

    Attributes:
        labels: of each category: a number, or `all`.
        seed: of the draw, and of a training on it.
        train: CSV with the columns uri and category_id.
        validation: the same, or None where the labels are so few that none are held out for all.
        test: the same.
    """

    labels: str
    seed: int
    train: Path
    validation: Path | None
    test: Path


def read_photos(photos: Path, side: str) -> Labelled:
    """List the photos of a side, `SIDE/CATEGORY/PHOTO`, in the order of their names."""
    found = sorted((photos / side).glob("*/*"))
    return [(str(path.resolve()), path.parent.name) for path in found]


def draw(photos: Path, labels: str, seed: int, folder: Path) -> Draw:
    """Write the manifests of one draw.

    Args:
        photos: a folder with `train`, `test` and maybe `validation`, each by category.
        labels: how many of each category, or `all`.
        seed: another one draws others.
        folder: takes the manifests.
    """
    folder.mkdir(parents=True, exist_ok=True)
    train = read_photos(photos, TRAIN)
    validation = read_photos(photos, VALIDATION) if labels == ALL else []
    if labels != ALL:
        train = _sample(train, int(labels), seed)
    return Draw(
        labels=labels,
        seed=seed,
        train=write_manifest(folder / "train.csv", train),
        validation=write_manifest(folder / "validation.csv", validation) if validation else None,
        test=write_manifest(folder / "test.csv", read_photos(photos, TEST)),
    )


def _sample(photos: Labelled, each: int, seed: int) -> Labelled:
    """Draw so many of each category, or all that there are."""
    chosen = random.Random(seed)  # noqa: S311  # a draw, no secret
    drawn: Labelled = []
    for category in sorted({category for _, category in photos}):
        mine = [photo for photo in photos if photo[1] == category]
        drawn += sorted(chosen.sample(mine, min(each, len(mine))))
    return drawn


def write_manifest(path: Path, photos: Sequence[tuple[str, str]]) -> Path:
    """Write photos and their categories as CSV; return its path."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["uri", "category_id"])
        writer.writerows(photos)
    return path


def check_photos(photos: Path, taxonomy: Taxonomy) -> None:
    """Refuse photos that the taxonomy does not fit.

    Raises:
        SystemExit: there are none, or their folders are not the taxonomy's leaves.
    """
    for side in (TRAIN, TEST):
        folders = {category for _, category in read_photos(photos, side)}
        if strange := folders ^ set(taxonomy.leaves):
            raise SystemExit(
                f"{photos / side}: expected a folder of photos for each leaf of the taxonomy and "
                f"no other, but only one of the two has {', '.join(sorted(strange))}; give "
                "--photos and --taxonomy that belong together"
            )

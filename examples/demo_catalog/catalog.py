"""A demo catalog: product-like pictures drawn on the spot, with titles, labels and broken items.

The same number of items and the same seed give the same bytes, so figures measured on it can
be compared. A few items are broken on purpose, each in another way a real catalog's are.
"""

import colorsys
import csv
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random

from examples.demo_catalog.beside import write_feed, write_tags
from examples.demo_catalog.kinds import Kind, kinds
from examples.demo_catalog.pen import Look, Paint
from examples.demo_catalog.pictures import JPEG_FORMS, broken, encoded
from examples.demo_catalog.shapes import CREAM, METALS, WOODS, Colour, toned
from lib.errors import InputError

FEWEST_ITEMS = 60
LABELLED_SHARE = 0.4
COLUMNS = ("item_id", "uri", "name", "category_id")
MODELS = ("Aster", "Birch", "Cove", "Dune", "Ember", "Fjord", "Grove", "Harbour", "Isle", "Juno")
PATTERNS = ("plain", "plain", "plain", "striped", "pinstriped", "checked", "dotted")
# a word, its hue in degrees, saturation and lightness in percent
COLOURS = (
    ("Red", 358, 70, 46), ("Coral", 12, 80, 64), ("Orange", 26, 88, 54), ("Mustard", 43, 74, 50),
    ("Olive", 70, 40, 36), ("Green", 140, 48, 38), ("Mint", 155, 42, 66), ("Teal", 180, 60, 34),
    ("Sky", 202, 72, 64), ("Blue", 216, 70, 46), ("Navy", 224, 54, 26), ("Lilac", 266, 46, 68),
    ("Plum", 300, 38, 34), ("Pink", 338, 72, 72), ("Burgundy", 345, 62, 28), ("Brown", 24, 42, 34),
    ("Sand", 38, 42, 70), ("Grey", 220, 6, 54), ("Charcoal", 220, 10, 26), ("Ivory", 45, 40, 88),
)  # fmt: skip
JPEG_NAMED = ("half a jpeg", "text", "garbled jpeg", "tiff")
BROKEN = (
    "empty", "half a jpeg", "half a png", "text", "web page", "bomb", "missing", "svg",
    "garbled jpeg", "zeros", "garbled png", "tiff",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What will be drawn and written for one item."""

    item_id: str
    kind: Kind
    form: str
    broken: str = ""
    labelled: bool = False

    @property
    def uri(self) -> str:
        """Where the image lies, relative to the catalog; it does not reveal the category."""
        jpeg = self.broken in JPEG_NAMED if self.broken else self.form in JPEG_FORMS
        shard = hashlib.sha256(self.item_id.encode()).hexdigest()[:2]
        return f"images/{shard}/{self.item_id}.{'jpg' if jpeg else 'png'}"


def draw_catalog(folder: Path, *, items: int = 720, seed: int = 7) -> Path:
    """Write a demo catalog: images, `taxonomy.yaml`, `catalog.csv` and `labelled.csv`.

    In `catalog.csv` a category stands only where `labelled.csv` does not have the item, so
    accuracy measured on it is held out. `feed.csv` and `tags.csv` are what `write_feed` and
    `write_tags` make of it.

    Args:
        folder: where to write; created if it is not there.
        items: how many items, the broken ones among them.
        seed: another seed draws another shop.

    Returns:
        The path of `catalog.csv`.

    Raises:
        InputError: if there are too few items for every category to have its share.
    """
    if items < FEWEST_ITEMS:
        raise InputError(f"a demo catalog needs at least {FEWEST_ITEMS} items, not {items}")
    plans = _plan(items, seed)
    rows: list[tuple[Plan, str]] = []
    for number, plan in enumerate(plans):
        rng = Random(f"{seed}:{plan.item_id}")  # noqa: S311 - dice for drawings, no secrets
        word, look = _look(rng, plan.kind)
        rows.append((plan, _title(rng, plan.kind, word, look, number)))
        content = broken(plan.broken, rng, plan.kind, look) if plan.broken else None
        path = folder / plan.uri
        if plan.broken == "missing":
            path.unlink(missing_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(rng, plan.kind, look, plan.form) if content is None else content)
    _write_taxonomy(folder / "taxonomy.yaml")
    _write_rows(
        folder / "labelled.csv",
        ((plan, name, plan.kind.category_id) for plan, name in rows if plan.labelled),
    )
    _write_rows(
        folder / "catalog.csv",
        (
            (plan, name, "" if plan.labelled or plan.broken else plan.kind.category_id)
            for plan, name in rows
        ),
    )
    sound = [(plan.item_id, plan.uri, name) for plan, name in rows if not plan.broken]
    write_feed(folder / "feed.csv", sound)
    write_tags(folder / "tags.csv", sound)
    return folder / "catalog.csv"


def _plan(items: int, seed: int) -> list[Plan]:
    """Decide each item's category and file form, which are labelled and which are broken."""
    rng = Random(seed)  # noqa: S311 - dice for drawings, no secrets
    leaves = kinds()
    sound = items - len(BROKEN)
    reached = list(accumulate(kind.share for kind in leaves))
    ends = [round(sound * share / reached[-1]) for share in reached]
    chosen: list[tuple[Kind, bool, str]] = []
    for kind, start, end in zip(leaves, [0, *ends], ends, strict=False):
        count = end - start
        labelled = max(round(count * LABELLED_SHARE), min(count // 2, 16))
        chosen += [(kind, number < labelled, "") for number in range(count)]
    chosen += [(rng.choice(leaves), False, broken) for broken in BROKEN]
    rng.shuffle(chosen)
    forms = rng.choices(
        ("jpeg", "grey", "png", "palette", "cutout"), weights=(62, 4, 20, 6, 8), k=items
    )
    whole_ones = [number for number, (_, _, broken) in enumerate(chosen) if not broken]
    for number in whole_ones[:2]:
        forms[number] = "turned"
    return [
        Plan(f"item-{number:05d}", kind, "png" if broken else form, broken, labelled)
        for number, ((kind, labelled, broken), form) in enumerate(zip(chosen, forms, strict=True))
    ]


def _look(rng: Random, kind: Kind) -> tuple[str, Look]:
    """Choose what a product is made of, and the word for its colour."""
    (word, body), (_, second), (_, trim) = (_colour(rng) for _ in range(3))
    if abs(sum(body) - sum(second)) < 150:
        second = CREAM if sum(body) < 450 else toned(body, 0.55)
    if abs(sum(body) - sum(trim)) < 120:
        trim = CREAM if sum(body) < 450 else toned(body, 0.5)
    paint = Paint(
        body,
        second,
        rng.choice(PATTERNS) if kind.patterned else "plain",
        rng.uniform(0.13, 0.26),
        rng.uniform(0.35, 0.65),
    )
    return word, Look(rng, paint, trim, rng.choice(METALS), rng.choice(WOODS))


def _colour(rng: Random) -> tuple[str, Colour]:
    word, hue, saturation, lightness = rng.choice(COLOURS)
    red, green, blue = colorsys.hls_to_rgb(
        (hue + rng.uniform(-7, 7)) % 360 / 360,
        min(1, lightness / 100 * rng.uniform(0.92, 1.06)),
        min(1, saturation / 100 * rng.uniform(0.85, 1.1)),
    )
    return word, (int(red * 255), int(green * 255), int(blue * 255))


def _title(rng: Random, kind: Kind, word: str, look: Look, number: int) -> str:
    """Make up a product's title; one in five does not say what the product is."""
    pattern = look.body.pattern if look.body.pattern != "plain" else ""
    words = [word, pattern, rng.choice(kind.materials) if rng.random() < 0.5 else ""]
    words.append(rng.choice(MODELS) if rng.random() < 0.2 else rng.choice(kind.nouns))
    return " ".join([*filter(None, words), f"No. {number}"])


def _write_taxonomy(path: Path) -> None:
    parents: dict[str, list[Kind]] = {}
    for kind in kinds():
        parents.setdefault(kind.parent, []).append(kind)
    lines = ['version: "1"', "categories:"]
    for parent, leaves in parents.items():
        lines += [f"  - id: {parent.lower()}", f"    name: {parent}", "    children:"]
        lines += [f"      - {{id: {leaf.category_id}, name: {leaf.name}}}" for leaf in leaves]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _write_rows(path: Path, rows: Iterable[tuple[Plan, str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((plan.item_id, plan.uri, name, label) for plan, name, label in rows)

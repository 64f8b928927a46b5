"""A demo catalog: product-like pictures drawn on the spot, with titles, labels and broken items.

The same number of items and the same seed give the same bytes, so figures measured on it can
be compared. A few items are broken on purpose, each in another way a real catalog's are.
"""

import colorsys
import csv
import hashlib
import io
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random

from PIL import Image, ImageFilter

from lib.drawing_shapes import (
    CREAM,
    METALS,
    WOODS,
    Colour,
    Kind,
    Look,
    Paint,
    Pen,
    kinds,
    toned,
)
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
JPEG_FORMS = ("jpeg", "grey", "turned")
JPEG_NAMED = ("half a jpeg", "text", "garbled jpeg", "tiff")
EXIF_ORIENTATION = 0x0112
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
    accuracy measured on it is held out.

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
        content = _broken(plan.broken, rng, plan.kind, look) if plan.broken else None
        path = folder / plan.uri
        if plan.broken == "missing":
            path.unlink(missing_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_encoded(rng, plan.kind, look, plan.form) if content is None else content)
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


def _scene(rng: Random, kind: Kind, look: Look, *, backdrop: bool = True) -> Image.Image:
    """Draw one product before its backdrop, or cut out on a transparent ground."""
    long = rng.randint(240, 480)
    short = max(160, round(long * rng.choice((0.67, 0.75, 0.8, 0.8, 1.0, 1.0))))
    wide, tall = kind.reach
    upright = wide <= tall if rng.random() < 0.75 else rng.random() < 0.5
    size = (short, long) if upright else (long, short)
    filled = rng.uniform(0.7, 0.92)
    scale = filled / 2 * min(side / reach for side, reach in zip(size, kind.reach, strict=True))
    room = [side / 2 - scale * reach for side, reach in zip(size, kind.reach, strict=True)]
    centre = (
        size[0] / 2 + room[0] * rng.uniform(-0.5, 0.5),
        size[1] / 2 + room[1] * rng.uniform(-0.5, 0.5),
    )
    tilt = rng.uniform(-3, 3) if kind.stands else rng.uniform(-14, 14)
    pen = Pen(size, centre, (scale * rng.choice((-1, 1)), scale), tilt)
    kind.draw(pen, look)
    product = pen.finished()
    if not backdrop:
        return product
    floor = centre[1] + scale * kind.reach[1] * rng.uniform(0.55, 0.8)
    picture = _backdrop(rng, size, floor, bright=sum(look.body.colour) > 540)
    if rng.random() < 0.8:
        _cast_shadow(rng, picture, product, stands=kind.stands)
    picture.paste(product, (0, 0), product)
    return picture


def _backdrop(rng: Random, size: tuple[int, int], floor: float, *, bright: bool) -> Image.Image:
    """Paint what stands behind a product; behind a bright one it is darker."""
    hue, saturation = rng.random(), rng.choice((0.0, 0.1, 0.2, 0.35))
    lightness = rng.uniform(0.56, 0.7) if bright else rng.uniform(0.86, 0.97)
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, saturation)
    wall = (int(red * 255), int(green * 255), int(blue * 255))
    picture = Image.new("RGB", size, wall)
    kind = rng.choice(("plain", "gradient", "floor", "floor", "noise"))
    if kind == "gradient":
        ramp = Image.linear_gradient("L").resize(size)
        picture.paste(toned(wall, rng.uniform(0.75, 0.9)), mask=ramp)
    elif kind == "floor":
        below = toned(wall, rng.uniform(0.8, 0.92))
        picture.paste(below, (0, min(round(floor), size[1]), *size))
    elif kind == "noise":
        coarse = (size[0] // 4, size[1] // 4)
        grain = Image.frombytes("L", coarse, rng.randbytes(coarse[0] * coarse[1])).resize(size)
        picture.paste(toned(wall, 0.7), mask=grain.point([n // 6 for n in range(256)]))
    return picture


def _cast_shadow(rng: Random, picture: Image.Image, product: Image.Image, *, stands: bool) -> None:
    """Darken the picture beside the product, and under one that stands."""
    alpha, blur = product.getchannel("A"), max(picture.size) / 50
    shift = round(blur * rng.uniform(0.5, 1.2))
    cast = Image.new("L", alpha.size)
    cast.paste(alpha, (shift, shift))
    cast = cast.filter(ImageFilter.BoxBlur(blur))
    picture.paste((30, 28, 40), mask=cast.point([n * 3 // 10 for n in range(256)]))
    left, top, right, bottom = alpha.getbbox() or (0, 0, *picture.size)
    if stands:
        width, height = right - left, max(6, (bottom - top) // 14)
        pool = Image.radial_gradient("L").resize((width, height * 2))
        pool = pool.point([max(0, 150 - n) * 4 // 5 for n in range(256)])
        picture.paste((30, 28, 40), (left, bottom - height - height // 3), pool)


def _encoded(rng: Random, kind: Kind, look: Look, form: str) -> bytes:
    """Draw a product and write it as one of the file forms."""
    picture = _scene(rng, kind, look, backdrop=form != "cutout")
    if form == "grey":
        picture = picture.convert("L")
    elif form == "palette":
        picture = picture.quantize(96)
    to = io.BytesIO()
    if form == "turned":
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = 6
        picture.transpose(Image.Transpose.ROTATE_90).save(to, "JPEG", quality=88, exif=exif)
    elif form in JPEG_FORMS:
        picture.save(to, "JPEG", quality=rng.randint(78, 94))
    else:
        picture.save(to, "PNG", compress_level=4)
    return to.getvalue()


def _broken(how: str, rng: Random, kind: Kind, look: Look) -> bytes:
    """Make a file that is no proper JPEG or PNG in the way named."""
    fixed = {
        "empty": b"",
        "missing": b"",
        "text": b"This product has no photo yet.\n",
        "web page": b"<!doctype html><title>502</title><h1>502 Bad Gateway</h1>\n",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h9v9z"/></svg>\n',
        "zeros": bytes(4096),
        "bomb": _bomb(60_000),
    }
    if how in fixed:
        return fixed[how]
    if how == "tiff":
        to = io.BytesIO()
        _scene(rng, kind, look).resize((160, 200)).save(to, "TIFF")
        return to.getvalue()
    content = _encoded(rng, kind, look, "jpeg" if "jpeg" in how else "png")
    middle = len(content) // 2
    if how.startswith("half"):
        return content[:middle]
    garbage = rng.randbytes(len(content) // 4)
    return content[:middle] + garbage + content[middle + len(garbage) :]


def _bomb(side: int) -> bytes:
    """Make a PNG of a hundred bytes that declares a square of this side."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(64))),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


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

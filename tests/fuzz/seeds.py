"""What each reader reads in peace, and how it is spoilt: cut, flipped, spliced, by a seed."""

import gzip
import io
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
from PIL import Image
from pyarrow import parquet

from tests.fuzz.targets import INVENTORY, PARTS, inventory_of, whole_bundle
from tests.helpers import catalogs

RUN_FILES: Final = Path(__file__).resolve().parents[2] / "jobs" / "runs"
ITEMS: Final = "item_id,uri,etag,size,name,category_id\n1,a.jpg,x,5,Hat,shirt\n2,b.jpg,y,6,,\n"
# format and options, as Pillow writes them
PICTURES: Final[Sequence[tuple[str, str, Mapping[str, object]]]] = (
    ("RGB", "JPEG", {}),
    ("RGB", "JPEG", {"progressive": True, "optimize": True}),
    ("L", "JPEG", {"exif": b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"}),
    ("CMYK", "JPEG", {}),
    ("RGB", "PNG", {}),
    ("RGBA", "PNG", {}),
    ("P", "PNG", {"transparency": 3}),
    ("I;16", "PNG", {}),
    ("RGB", "PNG", {"save_all": True, "append_images": True}),
    ("P", "GIF", {}),
    ("P", "GIF", {"save_all": True, "append_images": True, "transparency": 3}),
    ("RGB", "WEBP", {}),
    ("RGBA", "WEBP", {"lossless": True}),
    ("RGB", "WEBP", {"save_all": True, "append_images": True}),
    ("RGB", "BMP", {}),
    ("P", "BMP", {}),
    ("RGB", "TIFF", {}),
    ("RGBA", "TIFF", {"compression": "tiff_lzw"}),
    ("CMYK", "TIFF", {"compression": "tiff_adobe_deflate"}),
    ("RGB", "AVIF", {}),
    ("RGBA", "AVIF", {}),
)


def pictures() -> list[bytes]:
    """Draw a picture in each of the formats, and in each of their kinds."""
    return [_picture(seed, *each) for seed, each in enumerate(PICTURES)]


def _picture(seed: int, mode: str, suffix: str, options: Mapping[str, object]) -> bytes:
    image, second = (catalogs.draw(number) for number in (seed, seed + 100))
    if mode == "I;16":
        image = image.convert("L").convert("I").point(lambda value: value * 256)
    image = image.convert(mode)
    others = dict(options)
    if "append_images" in others:
        others["append_images"] = [second.resize(image.size, Image.Resampling.BILINEAR)]
    file = io.BytesIO()
    image.save(file, suffix, **others)
    return file.getvalue()


def _manifests() -> list[bytes]:
    rows = [{"uri": "a.jpg", "etag": "x", "category_id": "shirt"}, {"uri": "b.jpg"}]
    lines = b'{"file_name": "a.jpg", "etag": "x"}\n{"file_name": "b.jpg", "name": "Hat"}\n'
    tabs = gzip.compress(ITEMS.replace(",", "\t").encode(), mtime=0)
    files = (ITEMS.encode(), _parquet(rows), tabs, lines)
    return [bytes([number]) + data for number, data in enumerate(files)]


def _inventories() -> list[bytes]:
    rows = [{"key": "a.jpg", "size": 5, "e_tag": "x", "is_latest": True}]
    part = INVENTORY.encode()
    return [b"c" + part, b"p" + _parquet(rows), b"m" + inventory_of(part)]


def _parquet(rows: Sequence[Mapping[str, object]]) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(list(rows)), file)
    return file.getvalue()


def _bundles() -> list[bytes]:
    return [bytes([n]) + (whole_bundle() / part).read_bytes() for n, part in enumerate(PARTS)]


SEEDS: Final[Mapping[str, Callable[[], list[bytes]]]] = {
    "image": pictures,
    "taxonomy": lambda: [catalogs.TAXONOMY_YAML.encode()],
    "run-file": lambda: [path.read_bytes() for path in sorted(RUN_FILES.glob("*.yaml"))],
    "manifest": _manifests,
    "inventory": _inventories,
    "bundle": _bundles,
}


def spoilt(files: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Yield `count` files, each one of `files` that was cut, flipped or spliced, or all of it."""
    dice = random.Random(seed)  # noqa: S311  # must repeat
    for number in range(count):
        data = files[number % len(files)]
        for spoil in dice.choices((_cut, _flip, _fill, _repeat), k=dice.randint(0, 3)):
            data = spoil(data, dice)
        if dice.random() < 0.2:
            other = files[dice.randrange(len(files))]
            data = data[: dice.randint(0, len(data))] + other[dice.randint(0, len(other)) :]
        yield data


def _cut(data: bytes, dice: random.Random) -> bytes:
    at = dice.randint(0, len(data))
    return data[:at] if dice.random() < 0.5 else data[:at] + data[at + dice.randint(1, 64) :]


def _flip(data: bytes, dice: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(dice.randint(1, 8) if found else 0):
        found[dice.randrange(len(found))] ^= 1 << dice.randrange(8)
    return bytes(found)


def _fill(data: bytes, dice: random.Random) -> bytes:
    """Write over four bytes what a length or a size may be worst at."""
    at = dice.randint(0, len(data))
    worst = dice.choice(
        (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f")
    )
    return data[:at] + worst + data[at + 4 :]


def _repeat(data: bytes, dice: random.Random) -> bytes:
    at, length = dice.randint(0, len(data)), dice.randint(1, 256)
    return data[:at] + data[at : at + length] * dice.randint(2, 20) + data[at + length :]

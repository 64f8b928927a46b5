# ruff: noqa: T201  # it speaks to a person
"""Near-copies: of altered photos, how many are found, and how much of what is found is one.

    python -m benchmarks.bench_copies [PHOTOS] [--photos N] [--drawn N]

Real and drawn photos are each altered in a dozen ways. Every altered photo is compared with every
photo: by `match` (embeddings and a perceptual hash), by `check`, and by the hashes of imagededup at
the distance that it takes by itself. Photos that are one before anything is altered are left out.
The last line is one JSON object.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import needs


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    photos = needs.shared() / "data" / "clothing" / "test"
    parser.add_argument("source", type=Path, nargs="?", default=photos)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--drawn", type=int, default=100)
    return parser.parse_args()


if __name__ == "__main__":  # before what takes seconds to import
    needs.check(
        needs.data(arguments().source, "photos"), needs.peers("bench-copies"), needs.memory_gib(3)
    )

import numpy as np
from PIL import Image, ImageOps

from benchmarks.altered import ALTERATIONS
from benchmarks.machine import processor
from benchmarks.search_data import embed
from lib.embeddings.cosine import unit_length
from lib.images.config import ReadingConfig
from lib.images.inspection import Inspection, inspect_images
from lib.images.looks import MOST_BITS, differing
from lib.images.thumbnails import read_thumbnails
from lib.matching.near_copies import ALIKE, looks_of_jpeg
from lib.storage.config import StorageConfig
from pipelines import train_copies
from tests.helpers.catalogs import draw

PEER_BITS = 10  # what imagededup calls a duplicate, where it is told nothing else
ONE = 0.98  # cosine, from which on two photos count as one before they are altered
PEER_NAMES = ("PHash", "DHash")

Bools = np.ndarray[Any, np.dtype[np.bool_]]
Seen = dict[str, np.ndarray[Any, Any]]  # by way, a row for each photo
Counts = dict[str, tuple[int, int]]  # by way, right ones and all that are found


def write_photos(source: Path, photos: int, drawn: int, folder: Path) -> list[Path]:
    """Write photos, real ones and drawn ones; return their paths."""
    real = sorted(source.rglob("*.jpg"))
    chosen = np.random.default_rng(0).permutation(len(real))[:photos]
    pictures = [ImageOps.exif_transpose(Image.open(real[n])).convert("RGB") for n in chosen]
    grounds = np.random.default_rng(1).integers(40, 216, (drawn, 3)).tolist()
    pictures += [
        draw(seed, tuple(ground)).resize((320, 240)) for seed, ground in enumerate(grounds)
    ]
    return _save(pictures, folder)


def alter(paths: Sequence[Path], kind: str, folder: Path) -> list[Path]:
    """Write the altered copy of each photo."""
    return _save([ALTERATIONS[kind](Image.open(path)) for path in paths], folder)


def _save(pictures: Sequence[Image.Image], folder: Path) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{number:05d}.jpg" for number in range(len(pictures))]
    for picture, path in zip(pictures, paths, strict=True):
        picture.save(path, quality=92)
    return paths


def seen(paths: Sequence[Path], folder: Path) -> Seen:
    """Return what our ways to compare know of photos: embeddings, and bits of hashes."""
    uris, reading = [str(path) for path in paths], ReadingConfig(stores=("/",))
    small = read_thumbnails(uris, reading, StorageConfig())
    inspected = inspect_images(uris, [None] * len(uris), reading, StorageConfig())
    return {
        "vectors": unit_length(embed(uris, folder)),
        "match": np.stack([looks_of_jpeg(each) for each in small if each is not None]),
        "check": np.stack([each.looks for each in inspected if isinstance(each, Inspection)]),
    }


def seen_by_peers(paths: Sequence[Path], folder: Path) -> Seen:
    """Return the bits of imagededup's hashes."""
    (folder / "paths.txt").write_text("\n".join(map(str, paths)))
    done = subprocess.run(  # noqa: S603  # our own script
        [sys.executable, "-m", "benchmarks.peers.hashes", str(folder / "paths.txt")],
        env={**os.environ, "PYTHONPATH": str(needs.peers_folder("bench-copies"))},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return {name: np.array(found, np.uint64) for name, found in json.loads(done.stdout).items()}


def are_near(one: Seen, other: Seen) -> dict[str, Bools]:
    """Say by each way which photos are near-copies of which, bool [n, m]."""
    cosine = one["vectors"] @ other["vectors"].T
    look_alike = {
        way: differing(one[way][:, None], other[way][None]) <= MOST_BITS
        for way in ("match", "check")
    }
    alike = (cosine >= train_copies.ALIKE) & look_alike["check"]
    return {
        "match": (cosine >= ALIKE) & look_alike["match"],
        "check": (cosine >= train_copies.NEAR) | alike,
        **{
            name: np.bitwise_count(one[name][:, None] ^ other[name][None]) <= PEER_BITS
            for name in PEER_NAMES
            if name in one
        },
    }


def main() -> None:
    """Alter photos, compare all with all, and say what is found."""
    args = arguments()
    rows: dict[str, Counts] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_photos(args.source, args.photos, args.drawn, folder / "as-they-are")
        known = seen(paths, folder)
        # of photos that are one already, no alteration could say which one it is of
        cosine = np.triu(known["vectors"] @ known["vectors"].T, 1)
        kept = np.flatnonzero(~(cosine >= ONE).any(axis=0))
        paths, known = [paths[n] for n in kept], {way: each[kept] for way, each in known.items()}
        print(f"{len(paths):,} photos", flush=True)
        altered = [alter(paths, kind, folder / f"{n}") for n, kind in enumerate(ALTERATIONS)]
        peers = seen_by_peers([*paths, *itertools.chain(*altered)], folder)
        blocks = [
            {way: each[start : start + len(paths)] for way, each in peers.items()}
            for start in range(0, len(paths) * (1 + len(altered)), len(paths))
        ]
        for kind, copies, block in zip(ALTERATIONS, altered, blocks[1:], strict=True):
            near = are_near(known | blocks[0], seen(copies, folder) | block)
            rows[kind] = {way: (int(np.trace(e)), int(e.sum())) for way, e in near.items()}
            print(line_of(kind, rows[kind], len(paths)), flush=True)
    pairs, told = len(paths) * len(rows), dict[str, float]()
    whole = {
        way: (sum(row[way][0] for row in rows.values()), sum(row[way][1] for row in rows.values()))
        for way in near
    }
    print(line_of("all", whole, pairs))
    for way, counts in whole.items():
        recall, precision = shares(*counts, pairs)
        told |= {f"{way.lower()}_recall": recall, f"{way.lower()}_precision": precision}
    rounded = {key: round(value, 4) for key, value in told.items()}
    print(json.dumps({"photos": len(paths), **rounded, "machine": processor()}))


def shares(right: int, found: int, pairs: int) -> tuple[float, float]:
    """Return recall and precision; where nothing is found, nothing of it is wrong."""
    return right / pairs, right / found if found else 1.0


def line_of(kind: str, row: Counts, pairs: int) -> str:
    """Lay one alteration out: recall and precision of each way."""
    cells = [
        "{}: {:.3f} {:.3f}".format(way, *shares(right, found, pairs))
        for way, (right, found) in row.items()
    ]
    return f"{kind:<26} {'   '.join(cells)}"


if __name__ == "__main__":
    main()

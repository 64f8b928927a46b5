# ruff: noqa: T201  # it speaks to a person
"""Near-copies: of altered photos, how many are found, and how much of what is found is one.

    python -m benchmarks.bench_copies [PHOTOS] [--photos N] [--drawn N]

Photos and drawn pictures are altered as shops alter them. Every altered one is compared with every
one of its kind: by `match` (embeddings and looks), by `check`, and by the hashes of imagededup at
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
from dataclasses import dataclass
from pathlib import Path

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
from lib.images.looks import Hashes, Looks, look_alike, stacked
from lib.images.overlay import Bools, Floats
from lib.images.thumbnails import read_thumbnails
from lib.matching.near_copies import ALIKE, looks_of_jpeg
from lib.storage.config import StorageConfig
from pipelines import train_copies
from tests.helpers.catalogs import draw

PEER_BITS = 10  # what imagededup calls a duplicate, where it is told nothing else
ONE = 0.98  # cosine, from which on two photos count as one before they are altered

Counts = dict[str, tuple[int, int]]  # by way, right ones and all that are found


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What our ways to compare know of n photos: embeddings of unit length, and looks."""

    vectors: Floats
    match: Looks
    check: Looks


def write_photos(
    source: Path, photos: int, drawn: int, folder: Path
) -> tuple[list[Path], list[Path]]:
    """Write photos and drawn pictures; return the paths of each."""
    real = sorted(source.rglob("*.jpg"))
    chosen = np.random.default_rng(0).permutation(len(real))[:photos]
    pictures = [ImageOps.exif_transpose(Image.open(real[n])).convert("RGB") for n in chosen]
    grounds = np.random.default_rng(1).integers(40, 216, (drawn, 3)).tolist()
    pictures += [
        draw(seed, tuple(ground)).resize((320, 240)) for seed, ground in enumerate(grounds)
    ]
    paths = _save(pictures, folder)
    return paths[: len(chosen)], paths[len(chosen) :]


def others(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Return photos without those that are one with a photo before them."""
    vectors = unit_length(embed([*map(str, paths)], folder))
    one = np.triu(vectors @ vectors.T, 1) >= ONE
    return [path for path, is_one in zip(paths, one.T, strict=True) if not is_one.any()]


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
    """Return what our ways to compare know of photos."""
    uris, reading = [str(path) for path in paths], ReadingConfig(stores=("/",))
    small = read_thumbnails(uris, reading, StorageConfig(), square=False)
    inspected = inspect_images(uris, [None] * len(uris), reading, StorageConfig())
    return Seen(
        vectors=unit_length(embed(uris, folder)),
        match=stacked([None if each is None else looks_of_jpeg(each) for each in small]),
        check=stacked([each.looks if isinstance(each, Inspection) else None for each in inspected]),
    )


def seen_by_peers(paths: Sequence[Path], folder: Path) -> dict[str, Hashes]:
    """Return imagededup's hashes, uint64 [n], by their kind."""
    (folder / "paths.txt").write_text("\n".join(map(str, paths)))
    done = subprocess.run(  # noqa: S603  # our own script
        [sys.executable, "-m", "benchmarks.peers.hashes", str(folder / "paths.txt")],
        env={**os.environ, "PYTHONPATH": str(needs.peers_folder("bench-copies"))},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return {name: np.array(found, np.uint64) for name, found in json.loads(done.stdout).items()}


def are_near(known: Seen, one: slice, other: slice) -> dict[str, Bools]:
    """Say by each of our ways which of some photos are near-copies of which others, bool [n, m]."""
    cosine = known.vectors[one] @ known.vectors[other].T

    def by(looks: Looks, least: float) -> Bools:
        rows, columns = np.nonzero(cosine >= least)
        near, alike = np.zeros(cosine.shape, np.bool_), cosine[rows, columns]
        near[rows, columns] = look_alike(looks, rows + one.start, columns + other.start, alike)
        return near

    certain = cosine >= train_copies.NEAR
    return {
        "match": by(known.match, ALIKE),
        "check": certain | by(known.check, train_copies.ALIKE),
    }


def main() -> None:
    """Alter photos, compare all with all of their kind, and say what is found."""
    args = arguments()
    rows: dict[tuple[str, str], Counts] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        real, drawn = write_photos(args.source, args.photos, args.drawn, folder / "as-they-are")
        # of photos that are one already, no alteration could say which one it is of
        kept = [others(each, folder) for each in (real, drawn)]
        paths = [*itertools.chain(*kept)]
        ends = {"photos": slice(0, len(kept[0])), "drawn": slice(len(kept[0]), len(paths))}
        print(", ".join(f"{len(each):,} {name}" for name, each in zip(ends, kept, strict=True)))
        altered = [alter(paths, kind, folder / f"{n}") for n, kind in enumerate(ALTERATIONS)]
        every = [*paths, *itertools.chain(*altered)]
        hashes, known = seen_by_peers(every, folder), seen(every, folder)
        first = slice(0, len(paths))
        for number, kind in enumerate(ALTERATIONS, 1):
            then = slice(number * len(paths), (number + 1) * len(paths))
            near = are_near(known, first, then) | {
                peer: np.bitwise_count(found[first, None] ^ found[then]) <= PEER_BITS
                for peer, found in hashes.items()
            }
            for group, end in ends.items():
                block = {way: each[end, end] for way, each in near.items()}
                rows[group, kind] = {w: (int(np.trace(e)), int(e.sum())) for w, e in block.items()}
                print(line_of(f"{group}: {kind}", rows[group, kind], len(paths[end])), flush=True)
    told: dict[str, float] = {}
    for group, end in ends.items():
        pairs = len(paths[end]) * len(ALTERATIONS)
        whole = {
            way: (
                sum(rows[group, kind][way][0] for kind in ALTERATIONS),
                sum(rows[group, kind][way][1] for kind in ALTERATIONS),
            )
            for way in near
        }
        print(line_of(f"{group}: all", whole, pairs))
        for way, counts in whole.items():
            recall, precision = (round(value, 4) for value in shares(*counts, pairs))
            key = f"{group}_{way.lower()}"
            told |= {f"{key}_recall": recall, f"{key}_precision": precision}
    print(
        json.dumps(
            {**{g: len(paths[end]) for g, end in ends.items()}, **told, "machine": processor()}
        )
    )


def shares(right: int, found: int, pairs: int) -> tuple[float, float]:
    """Return recall and precision; where nothing is found, nothing of it is wrong."""
    return right / pairs, right / found if found else 1.0


def line_of(kind: str, row: Counts, pairs: int) -> str:
    """Lay one alteration out: recall and precision of each way."""
    cells = [
        "{}: {:.3f} {:.3f}".format(way, *shares(right, found, pairs))
        for way, (right, found) in row.items()
    ]
    return f"{kind:<34} {'   '.join(cells)}"


if __name__ == "__main__":
    main()

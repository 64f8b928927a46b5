"""Where the benchmarks' images lie: real photos, repeated to thousands of keys."""

import itertools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import obstore
import pyarrow as pa
from PIL import Image
from pyarrow import parquet

from benchmarks.s3_store import Store
from lib.storage.config import StorageConfig
from lib.storage.s3 import Buckets

WRITERS = 16
LARGE_PX = 1_600


@dataclass(frozen=True)
class Place:
    """Images in one place, in a store or on disk, and manifests of the first of them."""

    name: str
    folder: Path
    store: Store | None = None

    def manifest(self, items: int) -> str:
        """Return the manifest of the first items."""
        whole = parquet.read_table(self.folder / f"{self.name}.parquet")
        path = self.folder / f"{self.name}-{items}.parquet"
        if not path.exists():
            parquet.write_table(whole.slice(0, items), path)
        return str(path)

    @property
    def items(self) -> int:
        """How many images there are."""
        rows: int = parquet.read_metadata(self.folder / f"{self.name}.parquet").num_rows
        return rows


def lay_out(name: str, photos: Sequence[Path], keys: int, folder: Path) -> Place:
    """Repeat photos on disk, as links."""
    images = folder / f"{name}-images"
    images.mkdir()
    uris = []
    for number, photo in zip(range(keys), itertools.cycle(photos), strict=False):
        path = images / f"{number:06d}.jpg"
        path.symlink_to(photo)
        uris.append(str(path))
    _write_manifest(folder / f"{name}.parquet", uris)
    return Place(name, folder)


def upload(store: Store, bucket: str, photos: Sequence[Path], keys: int, folder: Path) -> Place:
    """Repeat photos in a bucket; nothing more is written to the store."""
    objects = Buckets(StorageConfig()).open(bucket)
    files = [photo.read_bytes() for photo in photos]
    names = [f"{number:06d}.jpg" for number in range(keys)]

    def put(number: int) -> None:
        obstore.put(objects, names[number], files[number % len(files)])

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(put, range(keys)))
    store.share()
    _write_manifest(folder / "s3.parquet", [f"s3://{bucket}/{each}" for each in names])
    return Place("s3", folder, store)


def enlarge(photos: Sequence[Path], folder: Path) -> list[Path]:
    """Write photos as a shop has them: 1,600 px on the longest side, JPEG of quality 88."""
    folder.mkdir()

    def write(photo: Path) -> Path:
        with Image.open(photo) as image:
            scale = LARGE_PX / max(image.size)
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            path = folder / f"{photo.stem}.jpg"
            image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(path, quality=88)
        return path

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(write, photos))


def _write_manifest(path: Path, uris: list[str]) -> None:
    names = [uri.rsplit("/", 1)[-1] for uri in uris]
    parquet.write_table(pa.table({"item_id": names, "uri": uris}), path)

"""Where the benchmarks' images lie: real photos, repeated to thousands of keys."""

import itertools
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import obstore
import pyarrow as pa
from pyarrow import parquet

from lib.storage.config import StorageConfig
from lib.storage.s3 import Buckets
from lib.storage.storage import Storage

WRITERS = 16


@dataclass(frozen=True)
class Place:
    """Images in one place, and manifests of the first of them."""

    name: str
    folder: Path

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


@contextmanager
def upload(name: str, photos: Sequence[Path], keys: int, folder: Path) -> Iterator[Place]:
    """Repeat photos in a bucket, and remove it afterwards."""
    config = StorageConfig()
    filesystem = Storage(config).open("s3://any")[0]
    bucket = f"reshelve-bench-{uuid.uuid4().hex}"
    filesystem.call_s3("create_bucket", Bucket=bucket)
    store = Buckets(config).open(bucket)
    files = [photo.read_bytes() for photo in photos]
    names = [f"{number:06d}.jpg" for number in range(keys)]

    def put(number: int) -> None:
        obstore.put(store, names[number], files[number % len(files)])

    try:
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(put, range(keys)))
        _write_manifest(folder / f"{name}.parquet", [f"s3://{bucket}/{each}" for each in names])
        yield Place(name, folder)
    finally:
        filesystem.rm(bucket, recursive=True)


def _write_manifest(path: Path, uris: list[str]) -> None:
    names = [uri.rsplit("/", 1)[-1] for uri in uris]
    parquet.write_table(pa.table({"item_id": names, "uri": uris}), path)

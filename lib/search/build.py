"""Making the indexes that a store of embeddings lacks."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from usearch.index import Index

from lib.embeddings.store import EMBEDDING, store_file, to_matrix, width_of
from lib.errors import InputError
from lib.search.local_copies import copies_folder, local_copy
from lib.search.segments import (
    DESCRIPTION,
    INDEX,
    Covered,
    Segment,
    disjoint,
    group,
    read_segments,
    store_files,
)
from lib.storage.parquet_reader import ParquetParts
from lib.storage.storage import Storage
from lib.storage.uris import join

# chosen by measurement, see benchmarks/LOG.md
CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH = 16, 64, 64
DTYPE = "f16"  # as the embeddings are kept, so that nothing is lost
Count = Callable[[int], object]
Make = Callable[[Sequence["Gap"], Storage], Iterator[Segment]]


@dataclass(frozen=True, kw_only=True)
class Indexed:
    """What was done: so many embeddings were put into so many indexes."""

    rows: int
    segments: int


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Files of a store that lack an index, and get one together."""

    uri: str
    files: tuple[Covered, ...]


def make_indexes(
    gaps: Sequence[Gap], storage: Storage, count: Count = lambda _: None
) -> Iterator[Segment]:
    """Index gaps in this process, one after the other, on all cores.

    Args:
        gaps: of one store.
        storage: how to reach it.
        count: takes how many embeddings have been indexed more.

    Raises:
        InputError: a file of the store is damaged.
    """
    for gap in gaps:
        yield make_index(gap, storage, count, threads=len(os.sched_getaffinity(0)))


def index_store(
    uri: str,
    storage: Storage,
    only: Collection[str] | None = None,
    *,
    check: bool = False,
    make: Make = make_indexes,
) -> Indexed:
    """Make the indexes that a store lacks; each appears whole, and none is made twice.

    Args:
        uri: of the store of one backbone.
        storage: how to reach it.
        only: names of the files that are to get one, of those that have none; None for all.
        check: read all indexes, make those again that are damaged, and remove those of files
            that are gone.
        make: makes the indexes, here or elsewhere, in any order.

    Raises:
        InputError: a file of the store is damaged.
    """
    versions = storage.versions(uri)
    files = store_files(versions)
    known, wanted = disjoint(read_segments(uri, versions, storage)), dict[str, Covered]()
    if check:
        known = [each for each in known if _is_whole(uri, each, storage)]
    covered = {each.name: each for segment in known for each in segment.files}
    for name in files:
        if name not in covered and (only is None or name in only):
            rows = store_file(join(uri, name), storage).metadata.num_rows
            wanted[name] = Covered(name=name, version=files[name], rows=rows)
    groups = group({name: each.rows for name, each in wanted.items() if each.rows}, known)
    gaps = [Gap(uri=uri, files=tuple((covered | wanted)[n] for n in names)) for names in groups]
    done = 0
    for segment in make(gaps, storage):
        done += segment.rows
        _remove_merged(uri, known, segment, storage)
    if check:
        _remove_lost(uri, storage)
    return Indexed(rows=done, segments=len(gaps))


def make_index(gap: Gap, storage: Storage, count: Count, threads: int) -> Segment:
    """Index some files, and write the index before its description.

    Raises:
        InputError: a file is damaged, or they hold embeddings of different lengths.
    """
    parts = [store_file(join(gap.uri, each.name), storage) for each in gap.files]
    index = build_index(parts, count, threads)
    with tempfile.TemporaryDirectory(prefix="reshelve-") as folder:
        path = Path(folder) / "index"
        index.save(str(path))
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        segment = Segment(dimensions=index.ndim, files=gap.files, digest=digest)
        place = join(gap.uri, segment.segment_id)
        storage.upload(path, f"{place}{INDEX}")
    storage.write(f"{place}{DESCRIPTION}", segment.model_dump_json(indent=1).encode())
    return segment


def new_index(width: int) -> Index:
    """Return an index of embeddings of so many values, by their cosine, with nothing in it."""
    return Index(
        ndim=width,
        metric="cos",
        dtype=DTYPE,
        connectivity=CONNECTIVITY,
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSION_SEARCH,
    )


def build_index(parts: Sequence[ParquetParts], count: Count, threads: int) -> Index:
    """Index the rows of files, one after the other, a row group at a time."""
    width = width_of(parts[0])
    index = new_index(width)
    first = 0
    for part in parts:
        if (other := width_of(part)) != width:
            raise InputError(
                f"{part.uri}: these embeddings have {other} values, those of {parts[0].uri} "
                f"{width}; one of the two is no file of this backbone"
            )
        for number in range(part.metadata.num_row_groups):
            column = part.read(number, [EMBEDDING])[EMBEDDING].combine_chunks()
            matrix = to_matrix(column)
            keys = np.arange(first, first + len(matrix), dtype=np.uint64)
            index.add(keys, matrix, threads=threads)
            first += len(matrix)
            count(len(matrix))
    return index


def _remove_merged(uri: str, known: Sequence[Segment], segment: Segment, storage: Storage) -> None:
    """Remove the indexes whose files another one covers now; who reads them has them open."""
    names = {each.name for each in segment.files}
    for old in known:
        if old.segment_id != segment.segment_id and names >= {each.name for each in old.files}:
            storage.delete(join(uri, f"{old.segment_id}{DESCRIPTION}"))
            storage.delete(join(uri, f"{old.segment_id}{INDEX}"))


def _remove_lost(uri: str, storage: Storage) -> None:
    versions = storage.versions(uri)
    used = {each.segment_id for each in disjoint(read_segments(uri, versions, storage))}
    for name in versions:
        if name.endswith((INDEX, DESCRIPTION)) and name.rpartition(".")[0] not in used:
            storage.delete(join(uri, name))


def _is_whole(uri: str, segment: Segment, storage: Storage) -> bool:
    place = join(uri, f"{segment.segment_id}{INDEX}")
    return local_copy(place, segment.digest, storage, copies_folder()) is not None

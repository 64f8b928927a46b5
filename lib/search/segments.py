"""Which files of a store of embeddings each index covers.

An index is `<id>.usearch` beside the store's files, and `<id>.json`, which says what it covers and
is written last. The id follows from the files that it covers and their versions, so an index never
changes, and one of other files is never taken for it. A large file has an index of its own; small
ones, as nights leave them, share one, since each index costs a search about the same.
"""

from collections.abc import Mapping, Sequence

from pydantic import NonNegativeInt, PositiveInt

from lib.config.config import Config, load_json
from lib.errors import InputError
from lib.hashing import digest_json
from lib.storage.storage import Storage
from lib.storage.uris import join

FULL_ROWS = 65_536  # what has so many is never merged with others
FILE, INDEX, DESCRIPTION = ".parquet", ".usearch", ".json"


class Covered(Config):
    """A file of the store that an index covers."""

    name: str
    version: str
    rows: NonNegativeInt


class Segment(Config):
    """`<id>.json`: what an index covers; its keys count the rows of its files, in their order."""

    dimensions: PositiveInt
    files: tuple[Covered, ...]
    digest: str  # of `<id>.usearch`

    @property
    def rows(self) -> int:
        """Embeddings that it covers."""
        return sum(each.rows for each in self.files)

    @property
    def segment_id(self) -> str:
        """What its two files are called."""
        return segment_id({each.name: each.version for each in self.files})


def segment_id(files: Mapping[str, str]) -> str:
    """Return the id of the index of some files, in their order, by name and version.

    Who reads the folder as a dataset, as pyarrow and Spark do, leaves out what begins with `_`.
    """
    return "_" + digest_json([[name, version] for name, version in files.items()])[:32]


def store_files(versions: Mapping[str, str]) -> dict[str, str]:
    """Return the versions of a store's own files, by name and in its order."""
    return {
        name: version
        for name, version in sorted(versions.items())
        if name.endswith(FILE) and not name.startswith(".")
    }


def read_segments(uri: str, versions: Mapping[str, str], storage: Storage) -> list[Segment]:
    """Read which indexes a store has that cover nothing but its files as they are now.

    One that cannot be read, or is of other files, counts as not there.

    Args:
        uri: of the store.
        versions: of all its objects, by name.
        storage: how to reach it.
    """
    files = store_files(versions)
    found = []
    for name in sorted(versions):
        if not name.endswith(DESCRIPTION) or name.removesuffix(DESCRIPTION) + INDEX not in versions:
            continue
        try:
            place = join(uri, name)
            segment = load_json(Segment, storage.read(place), place, "an index's description")
        except InputError:  # damaged, or removed meanwhile
            continue
        known = all(files.get(each.name) == each.version for each in segment.files)
        if known and segment.files and f"{segment.segment_id}{DESCRIPTION}" == name:
            found.append(segment)
    return found


def disjoint(segments: Sequence[Segment]) -> list[Segment]:
    """Choose indexes that cover each file once at most; the largest ones come first."""
    chosen: list[Segment] = []
    taken: set[str] = set()
    for segment in sorted(segments, key=lambda each: (-each.rows, each.segment_id)):
        names = {each.name for each in segment.files}
        if not names & taken:
            chosen.append(segment)
            taken |= names
    return chosen


def group(rows: Mapping[str, int], segments: Sequence[Segment]) -> list[list[str]]:
    """Say which files get an index together.

    A file of `FULL_ROWS` has its own. Smaller ones share; with the last of these come the indexes
    that are no larger than what there is by then, so that a row is indexed again only a few times
    however many nights there are, and few indexes are small.

    Args:
        rows: of each file that no index covers, by name.
        segments: the indexes that there are, each file in one at most.
    """
    groups = [[name] for name, count in rows.items() if count >= FULL_ROWS]
    open_group: list[str] = []
    size = 0
    for name, count in rows.items():
        if count >= FULL_ROWS:
            continue
        if open_group and size + count > FULL_ROWS:
            groups.append(open_group)
            open_group, size = [], 0
        open_group.append(name)
        size += count
    if open_group:
        for segment in sorted(segments, key=lambda each: each.rows):
            if segment.rows > size or size + segment.rows > FULL_ROWS:
                break
            open_group += [each.name for each in segment.files]
            size += segment.rows
        groups.append(sorted(open_group))
    return groups

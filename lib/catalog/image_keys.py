"""Items of a store's keys: which of them are images below a prefix, and their ids."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lib.catalog.left_out import HIDDEN, NO_SUFFIX, LeftOut, left_out_sentence
from lib.catalog.manifest_kind import NAMES
from lib.errors import InputError
from lib.schemas import ITEM_SCHEMA

Row = tuple[str, str | None, int | None]  # key, etag, size


class NoImagesError(InputError):
    """No image lies below a prefix."""


@dataclass(frozen=True)
class Chosen:
    """Items of some keys, and how many keys of which kind are none."""

    items: pa.RecordBatch
    left_out: dict[str, int]


class Images:
    """Makes items of a store's keys: which of them are images below a prefix, and their ids."""

    def __init__(self, root: str, base: str, suffixes: tuple[str, ...]) -> None:
        """Take the keys that begin with `root`; what follows is the id, `base` + key the uri.

        Args:
            root: the prefix, with its slash at the end; may be empty.
            base: what makes a key a URI.
            suffixes: which files are images, in lower case; "*" takes all.
        """
        self._root, self._base, self._suffixes = root, base, suffixes
        self.left_out = LeftOut()
        self._found = False

    def take(
        self, keys: pa.Array, etags: pa.Array, sizes: pa.Array, uris: pa.Array | None = None
    ) -> pa.RecordBatch:
        """Make items of keys, and count what is none."""
        return self.count(self.choose(keys, etags, sizes, uris))

    def count(self, chosen: Chosen) -> pa.RecordBatch:
        """Count what was chosen, once it is known that nobody chooses of the same keys again."""
        self.left_out.add(chosen.left_out)
        self._found = self._found or chosen.items.num_rows > 0
        return chosen.items

    def choose(
        self, keys: pa.Array, etags: pa.Array, sizes: pa.Array, uris: pa.Array | None = None
    ) -> Chosen:
        """Make items of keys; folder markers (`a/`) and hidden names are none.

        Where the keys are not the store's own, `uris` are given. What is left out is counted where
        it has bytes: an empty object may be a folder's marker that lost its slash.
        """
        mine = pc.and_not(pc.starts_with(keys, self._root), pc.ends_with(keys, "/"))
        ids = pc.utf8_slice_codeunits(keys, len(self._root))
        hidden = pc.match_substring_regex(ids, r"(^|/)\.")
        keep = pc.and_not(mine, hidden)
        full = pc.fill_null(pc.greater(sizes, 0), True)  # noqa: FBT003  # the value of a missing one
        left_out = {HIDDEN: pc.sum(pc.and_(pc.and_(mine, hidden), full)).as_py() or 0}
        if "*" not in self._suffixes:
            found = pc.extract_regex(ids, r"(?P<suffix>\.[^./]+)$").field("suffix")
            found = pc.fill_null(found, "")
            suffix = pc.utf8_lower(pc.if_else(pc.equal(found, ""), NO_SUFFIX, found))
            image = pc.is_in(suffix, value_set=pa.array(self._suffixes, pa.string()))
            other = pc.and_(pc.and_not(keep, image), full)
            for each in pc.value_counts(suffix.filter(other)).to_pylist():
                left_out[each["values"]] = each["counts"]
            keep = pc.and_(keep, image)
        ids = ids.filter(keep)
        if uris is None:
            uris = pc.binary_join_element_wise(self._base, keys, "")
        known = {
            "item_id": ids,
            "uri": uris.filter(keep),
            "etag": pc.utf8_trim(etags.filter(keep), '"'),
            "size": sizes.filter(keep),
        }
        columns = [known.get(f.name, pa.nulls(len(ids), f.type)) for f in ITEM_SCHEMA]
        items = pa.RecordBatch.from_arrays(columns, schema=ITEM_SCHEMA)
        return Chosen(items, {kind: count for kind, count in left_out.items() if count})

    def require_one(self, source: str) -> None:
        """Say what lies there instead, where no image was found.

        Raises:
            NoImagesError: none was found.
        """
        if self._found:
            return
        counts = self.left_out.counts
        if not counts:
            raise NoImagesError(
                f"{source}: no file lies below this prefix; expected images there, or a manifest, "
                f"{NAMES}, or an inventory's manifest.json"
            )
        by_suffix = any(kind.startswith(".") or kind == NO_SUFFIX for kind in counts)
        advice = "; 'suffixes' says which are images" if by_suffix else ""
        raise NoImagesError(
            f"{source}: no image lies below this prefix; {left_out_sentence(counts)}{advice}"
        )


def columns_of(rows: Sequence[Row]) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Return keys, etags and sizes as columns."""
    keys, etags, sizes = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.array(keys, pa.string()), pa.array(etags, pa.string()), pa.array(sizes, pa.int64())

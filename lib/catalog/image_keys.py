"""Items of a store's keys: which of them are images below a prefix, and their ids."""

import threading
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from lib.catalog.manifest_kind import NAMES
from lib.errors import InputError
from lib.schemas import ITEM_SCHEMA


class NoImagesError(InputError):
    """No image lies below a prefix."""


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
        self._skipped: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._found = False

    def choose(self, keys: pa.Array, etags: pa.Array, sizes: pa.Array) -> pa.RecordBatch:
        """Make items of keys; folder markers (`a/`) and hidden names are none."""
        mine = pc.and_not(pc.starts_with(keys, self._root), pc.ends_with(keys, "/"))
        ids = pc.utf8_slice_codeunits(keys, len(self._root))
        keep = pc.and_not(mine, pc.match_substring_regex(ids, r"(^|/)\."))
        if "*" not in self._suffixes:
            found = pc.extract_regex(ids, r"(?P<suffix>\.[^./]+)$").field("suffix")
            suffix = pc.utf8_lower(pc.if_else(pc.is_valid(found), found, ""))
            image = pc.is_in(suffix, value_set=pa.array(self._suffixes, pa.string()))
            if not self._found:
                self._count(suffix.filter(pc.and_not(keep, image)))
            keep = pc.and_(keep, image)
        ids = ids.filter(keep)
        self._found = self._found or len(ids) > 0
        known = {
            "item_id": ids,
            "uri": pc.binary_join_element_wise(self._base, keys.filter(keep), ""),
            "etag": pc.utf8_trim(etags.filter(keep), '"'),
            "size": sizes.filter(keep),
        }
        columns = [known.get(f.name, pa.nulls(len(ids), f.type)) for f in ITEM_SCHEMA]
        return pa.RecordBatch.from_arrays(columns, schema=ITEM_SCHEMA)

    def _count(self, suffixes: pa.Array) -> None:
        with self._lock:
            self._skipped.update(each or "no suffix" for each in suffixes.to_pylist())

    def require_one(self, source: str) -> None:
        """Say what lies there instead, where no image was found.

        Raises:
            NoImagesError: none was found.
        """
        if self._found:
            return
        if not self._skipped:
            raise NoImagesError(
                f"{source}: no file lies below this prefix; expected images there, or a manifest, "
                f"{NAMES}, or an inventory's manifest.json"
            )
        seen = ", ".join(f"{count} with {suffix}" for suffix, count in self._skipped.most_common(5))
        raise NoImagesError(
            f"{source}: no image lies below this prefix, only other files: {seen}; 'suffixes' says "
            "which are images"
        )

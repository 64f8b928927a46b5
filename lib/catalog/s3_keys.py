"""Listing the keys of a bucket: many ranges at a time, fast, and each key once."""

import random
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile

import obstore
import pyarrow as pa
import pyarrow.compute as pc
from obstore.exceptions import BaseError

from lib.batches import Batches
from lib.catalog.image_keys import Chosen, Images, Row, columns_of
from lib.catalog.parallel import gather
from lib.errors import InputError
from lib.storage.errors import explained
from lib.storage.s3 import Buckets
from lib.storage.storage import Storage

LISTERS = 16
PAGE_ROWS = 1_000  # what S3 gives at once
# where a range of keys may be split: letters that stand in every key as they are
LETTERS = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"


@dataclass
class _Range:
    """Keys below the prefix, after one and up to another, which a worker lists in order."""

    after: str
    until: str | None = None
    exact: bool = False
    listed: bool = False  # since it was last split


class Keys:
    """The keys of a bucket below a prefix, listed in ranges.

    S3 gives keys in order, from any key on. One worker begins at the first; a worker with nothing
    to do takes the far half of the keys that another has before it. So folders of any shape, and
    a single one of millions of objects, are listed many ranges at a time.

    obstore lists fast, but some keys it cannot name: it refuses `a//b` and strips the slashes
    around `/a` and `hat/`. Pages that may hold such keys are listed by s3fs, exactly; so are those
    that obstore failed to get, for s3fs tries again and says what is wrong.
    """

    def __init__(self, uri: str, storage: Storage, bucket: str, root: str, images: Images) -> None:
        """Take the keys of the prefix `uri`, which begin with `root`; `images` makes them items."""
        self._uri, self._bucket, self._root, self._images = uri, bucket, root, images
        self._s3, self._path = storage.open(uri)
        self._store = Buckets(storage.config).open(bucket)
        self._active: list[_Range] = []
        self._lock = threading.Lock()

    def read(self) -> Batches:
        """List them as items.

        Raises:
            InputError: they cannot be listed, or come out of order.
        """
        whole = _Range("")
        first, more = self._exact_page(whole)
        if not first and not more:
            with explained(self._uri):
                self._s3.ls(self._path.rstrip("/") + "/")  # says whether anything is there
        yield self._images.count(self._choose(whole, *columns_of(first)))
        if not more:
            return
        ranges = [whole]
        whole.exact = self._root.startswith("/")
        if not self._root and whole.after < "0":
            # "/a" sorts before "0", and only in a whole bucket can a key begin with a slash
            whole.until, whole.exact = "0", True
            ranges.append(_Range("0"))
        yield from gather(ranges, self._list_range, LISTERS, self._split_one)

    def _list_range(self, part: _Range, _: Callable[[_Range], None]) -> Batches:
        with self._lock:
            self._active.append(part)
        more = True
        while more and (part.until is None or part.after < part.until):
            try:
                if not part.exact:
                    yield from self._list_fast(part)
                    break
            except InputError:
                raise
            except (BaseError, ValueError):
                pass  # the page is listed again, exactly
            rows, more = self._exact_page(part)
            yield self._images.count(self._choose(part, *columns_of(rows)))
        with self._lock:
            self._active.remove(part)

    def _list_fast(self, part: _Range) -> Batches:
        pages = obstore.list(
            self._store,
            self._root or None,
            offset=self._root + part.after or None,
            chunk_size=PAGE_ROWS,
            return_arrow=True,
        )
        for page in pages:
            table = pa.record_batch(page)
            keys, sizes = table["path"].cast(pa.string()), table["size"].cast(pa.int64())
            before = part.after
            chosen = self._choose(part, keys, table["e_tag"].cast(pa.string()), sizes)
            if pc.index(chosen.items["size"], value=0).as_py() >= 0:
                with self._lock:
                    part.after = before
                raise ValueError("an empty object, or a folder's marker without its slash")
            yield self._images.count(chosen)
            if part.until is not None and part.after >= part.until:
                return

    def _exact_page(self, part: _Range) -> tuple[list[Row], bool]:
        """List one page with the keys as they are, and say whether there are more."""
        start = {"StartAfter": self._root + part.after} if part.after else {}
        with explained(self._uri):
            page = self._s3.call_s3(
                "list_objects_v2", Bucket=self._bucket, Prefix=self._root, **start
            )
        rows = [(each["Key"], each["ETag"], each["Size"]) for each in page.get("Contents", [])]
        return rows, page["IsTruncated"] and bool(rows)

    def _choose(self, part: _Range, keys: pa.Array, etags: pa.Array, sizes: pa.Array) -> Chosen:
        """Make items of a page's keys, and leave the keys after it to whoever takes them."""
        named = keys.filter(pc.greater(sizes, 0))  # a marker that lost its slash is out of order
        if pc.any(pc.less(named.slice(1), named.slice(0, max(len(named) - 1, 0)))).as_py():
            raise InputError(
                f"{self._uri}: the store lists its keys out of order; give a manifest instead"
            )
        mine = pc.greater(keys, self._root + part.after)
        with self._lock:
            # from here on nobody takes keys of this page
            last = pc.max(keys).as_py() or ""
            part.after = max(part.after, last.removeprefix(self._root))
            part.listed = True
            until = part.until
        if until is not None:
            mine = pc.and_(mine, pc.less_equal(keys, self._root + until))
        return self._images.choose(keys.filter(mine), etags.filter(mine), sizes.filter(mine))

    def _split_one(self) -> _Range | None:
        """Take the far half of a range that goes on, for a worker with nothing to do."""
        with self._lock:
            for part in random.sample(self._active, len(self._active)):
                goes_on = part.listed and (part.until is None or part.after < part.until)
                if goes_on and (middle := _middle(part.after, part.until)) is not None:
                    taken = _Range(middle, part.until, part.exact)
                    part.until, part.listed = middle, False
                    return taken
        return None


def _middle(after: str, until: str | None) -> str | None:
    """Find a key between two, as far from both as their first letters tell; None where none is."""
    pairs = zip(after, until or "", strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    for place in range(same, len(after)):
        low = bisect_right(LETTERS, after[place])
        below = until if until is not None and place == same else None
        high = bisect_left(LETTERS, below[place]) if below else len(LETTERS)
        if low < high:
            return after[:place] + LETTERS[(low + high) // 2]
    return None

"""Items as Arrow tables and streams: the columns of a snapshot, and what every catalog passes."""

import contextlib
import itertools
import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from lib.errors import InputError

ITEM_SCHEMA = pa.schema(
    [
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("etag", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("name", pa.string()),
        pa.field("category_id", pa.string()),
        pa.field("split", pa.string()),  # train or validation, where the catalog says
    ]
)
FIRST_UNITS = (64, 64, 128, 128, 256, 256)  # an actor has two at once
QUEUED_BATCHES = 32
IDLE_S = 0.02

Batches = Generator[pa.RecordBatch, None, None]
Task = TypeVar("Task")


def make_snapshot(items: pa.Table, source: str) -> pa.Table:
    """Sort items by `item_id`, and check that the ids and the uris are there and ids are unique.

    Raises:
        InputError: an id or uri is missing or an id stands twice; names the place or the id.
    """
    items = pa.Table.from_batches(checked(items.to_batches(), source), items.schema)
    snapshot = items.sort_by("item_id").combine_chunks()
    return pa.Table.from_batches(unique(snapshot.to_batches(), source), items.schema)


def checked(items: Iterable[pa.RecordBatch], source: str) -> Batches:
    """Pass items on, once each of them is seen to have an id and a uri.

    Raises:
        InputError: an id or uri is missing, or there is no item at all.
    """
    before = 0
    for batch in items:
        for column in ("uri", "item_id"):
            empty = pc.or_kleene(pc.is_null(batch[column]), pc.equal(batch[column], ""))
            if (row := pc.index(empty, value=True).as_py()) >= 0:
                raise InputError(f"{source}: item {before + row + 1} has no {column}")
        before += batch.num_rows
        yield batch
    if not before:
        raise InputError(f"{source}: the catalog has no items")


def unique(items: Iterable[pa.RecordBatch], source: str) -> Batches:
    """Pass sorted items on, once each id is seen to stand there alone.

    Raises:
        InputError: an id stands twice.
    """
    last = pa.array([], pa.string())
    for batch in items:
        ids = pa.concat_arrays([last, batch["item_id"]])
        twice = pc.equal(ids.slice(1), ids.slice(0, max(len(ids) - 1, 0)))
        if (row := pc.index(twice, value=True).as_py()) >= 0:
            raise InputError(f"{source}: item_id '{ids[row]}' stands in the catalog twice")
        last = ids.slice(max(len(ids) - 1, 0))
        yield batch


def regroup(items: Iterable[pa.RecordBatch], rows: int) -> Batches:
    """Pass rows on in batches of `rows` rows each; the last has the rest."""
    yield from _regroup(items, itertools.repeat(rows))


def in_units(items: Iterable[pa.RecordBatch], rows: int) -> Batches:
    """Pass rows on in units of `rows` rows each; the first are small, and the last has the rest.

    The first labels come seconds earlier so, and with them whatever is wrong with all of them.
    """
    small = [size for size in FIRST_UNITS if size < rows]
    yield from _regroup(items, itertools.chain(small, itertools.repeat(rows)))


def _regroup(items: Iterable[pa.RecordBatch], sizes: Iterator[int]) -> Batches:
    waiting: list[pa.RecordBatch] = []
    count, size = 0, next(sizes)
    for batch in items:
        waiting.append(batch)
        count += batch.num_rows
        if count < size:
            continue
        whole, start = pa.concat_batches(waiting), 0
        while count >= size:
            yield whole.slice(start, size)
            start, count, size = start + size, count - size, next(sizes)
        waiting = [whole.slice(start)] if count else []
    if count:
        yield pa.concat_batches(waiting)


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
            InputError: none was found.
        """
        if self._found:
            return
        if not self._skipped:
            raise InputError(f"{source}: nothing lies below this prefix")
        seen = ", ".join(f"{count} with {suffix}" for suffix, count in self._skipped.most_common(5))
        raise InputError(
            f"{source}: no image lies below this prefix, only files {seen}; see 'suffixes'"
        )


def gather(
    tasks: Iterable[Task],
    work: Callable[[Task, Callable[[Task], None]], Batches],
    workers: int,
    spare: Callable[[], Task | None] = lambda: None,
) -> Batches:
    """Yield what `work` yields of all tasks, many at a time, in any order and with bounded memory.

    Args:
        tasks: the first tasks.
        work: makes batches of a task; is given a function that adds a task.
        workers: tasks at a time.
        spare: what a worker with nothing to do may take; asked by one worker at a time.
    """
    crew = _Crew(tasks, work, spare)
    # daemons: an answer that a reader no longer waits for keeps no process alive
    for _ in range(workers):
        threading.Thread(target=crew.run, daemon=True).start()
    try:
        while workers:
            result = crew.results.get()
            if isinstance(result, BaseException):
                raise result
            if result is None:
                workers -= 1
            elif result.num_rows:
                yield result
    finally:
        crew.stopped.set()


class _Crew(Generic[Task]):
    """Workers that share tasks, and put what they make of them into one bounded queue."""

    def __init__(
        self,
        tasks: Iterable[Task],
        work: Callable[[Task, Callable[[Task], None]], Batches],
        spare: Callable[[], Task | None],
    ) -> None:
        self._waiting, self._busy = deque(tasks), 0
        self._work, self._spare = work, spare
        self._changed = threading.Condition()
        self.stopped = threading.Event()
        # an error ends it all, None one worker
        self.results: queue.Queue[pa.RecordBatch | BaseException | None]
        self.results = queue.Queue(QUEUED_BATCHES)

    def run(self) -> None:
        try:
            while (task := self._take()) is not None:
                for batch in self._work(task, self._add):
                    self._put(batch)
                    if self.stopped.is_set():
                        return
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001  # raised again by the reader, in its thread
            self._put(error)
        self._put(None)

    def _add(self, task: Task) -> None:
        with self._changed:
            self._waiting.append(task)
            self._changed.notify()

    def _take(self) -> Task | None:
        with self._changed:
            while not self.stopped.is_set() and (self._waiting or self._busy):
                task = self._waiting.popleft() if self._waiting else self._spare()
                if task is not None:
                    self._busy += 1
                    return task
                self._changed.wait(IDLE_S)
        return None

    def _put(self, result: pa.RecordBatch | BaseException | None) -> None:
        while not self.stopped.is_set():
            with contextlib.suppress(queue.Full):
                self.results.put(result, timeout=IDLE_S)
                return

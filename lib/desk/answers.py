"""Taking people's answers: many at a time become one commit, and none is confirmed before it."""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa

from lib.desk.label_rows import Row
from lib.errors import InputError, ReshelveError
from lib.labels.annotations import Answer
from lib.labels.annotations_table import AnnotationsTable
from lib.schemas import ANNOTATIONS_SCHEMA
from lib.taxonomy.taxonomy import Taxonomy

_END: Final = None


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a person says of one item.

    Attributes:
        answer: a value of `Answer`.
        category_id: of `Answer.CATEGORY`.
        by: who says it.
        why: the item was asked about: queue, browse or audit.
        key: made by the page, the same in each try to send it.
    """

    answer: Answer
    category_id: str | None = None
    by: str
    why: str
    key: str

    def of(self, item: Row, taxonomy: Taxonomy) -> dict[str, Any]:
        """Return the annotation of an item.

        Args:
            item: as the desk shows it.
            taxonomy: of the table.

        Raises:
            InputError: it is no category of the taxonomy that has none below it.
        """
        if self.answer == Answer.CATEGORY and self.category_id not in taxonomy.leaves:
            raise InputError(
                f"'{self.category_id}' is no category that items can have in version "
                f"{taxonomy.version} of the taxonomy; reload the page"
            )
        return {
            "annotation_id": f"{self.key}-{item['item_id']}",
            "item_id": item["item_id"],
            "uri": item["uri"],
            "etag": item["etag"],
            "answer": self.answer,
            "category_id": self.category_id if self.answer == Answer.CATEGORY else None,
            "taxonomy_version": taxonomy.version,
            "by": self.by,
            "at": datetime.now(UTC),
            "previous_category_id": item["category_id"],
            "previous_decision": item["decision"],
            "confidence": item["confidence"],
            "why": self.why,
        }


class Answers:
    """Appends annotations to their table, from one thread; whoever gives some waits for it."""

    def __init__(self, table: AnnotationsTable, shown: Callable[[pa.Table, int], None]) -> None:
        """Start the thread.

        Args:
            table: where answers stay.
            shown: takes what is committed, to be shown from then on, and the version it made.
        """
        self._table, self._shown = table, shown
        self.writing = threading.Lock()  # held from before a commit until it is shown
        self._waiting: queue.Queue[tuple[pa.Table, Future[int]] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._commit_all, name="answers")
        self._thread.start()

    def give(self, annotations: Sequence[dict[str, Any]]) -> int:
        """Write annotations, and return the table's version once they are there.

        Raises:
            InputError, StoreError: as `AnnotationsTable.append`.
        """
        if not annotations:
            raise InputError("no item was chosen")
        done: Future[int] = Future()
        rows = pa.Table.from_pylist(list(annotations), schema=ANNOTATIONS_SCHEMA)
        self._waiting.put((rows, done))
        return done.result()

    def close(self) -> None:
        """Write what is waiting, and end the thread."""
        self._waiting.put(_END)
        self._thread.join()

    def _commit_all(self) -> None:
        while (first := self._waiting.get()) is not _END:
            # whoever came while the last commit was made shares the next
            together, ended = [first], False
            while not self._waiting.empty() and not ended:
                another = self._waiting.get()
                ended = another is _END
                if another is not _END:
                    together.append(another)
            self._commit(together)
            if ended:
                return

    def _commit(self, together: Iterable[tuple[pa.Table, Future[int]]]) -> None:
        waiting = list(together)
        rows = pa.concat_tables([each for each, _ in waiting])
        try:
            with self.writing:
                version = self._table.append(rows)
                self._shown(rows, version)
        except Exception as error:  # noqa: BLE001  # each of those who wait is told
            for _, done in waiting:
                done.set_exception(error)
        else:
            for _, done in waiting:
                done.set_result(version)
            # nobody waits for it, and where a store is away the next answer's writer says so
            with self.writing, contextlib.suppress(ReshelveError):
                if (together_at := self._table.put_together()) is not None:
                    self._shown(rows.slice(0, 0), together_at)

"""What all pages of a desk share: the table as it is now, the taxonomy, answers and pictures."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from lib.desk.answers import Answers
from lib.desk.config import DeskConfig
from lib.desk.filters import Filters
from lib.desk.grouping import Grouping
from lib.desk.job_runner import JobRunner
from lib.desk.local_table import LocalTable
from lib.desk.local_tables import write_local
from lib.desk.nights import Nights
from lib.desk.pictures import Pictures
from lib.desk.queue import Queue
from lib.desk.reservations import Reservations
from lib.desk.searching import Searched, Searching
from lib.desk.sheets import find_sheet
from lib.desk.taxonomy_draft import DraftFile
from lib.errors import InputError, sentence_of
from lib.labels.annotations import newest_answers
from lib.labels.annotations_table import AnnotationsTable
from lib.labels.carried_answers import with_late
from lib.labels.delta_table import LabelsTable
from lib.schemas import LABELS_SCHEMA
from lib.storage.storage import Storage
from lib.taxonomy.taxonomy import Taxonomy

LOOK_EVERY_S = 2.0


class Desk:
    """A desk's state. `start` opens the table; a thread takes in what others do meanwhile."""

    def __init__(
        self,
        config: DeskConfig,
        folder: Path,
        read_taxonomy: Callable[[], Taxonomy],
        open_search: Callable[[], Searched],
        find_groups: Callable[[pa.Table], pa.Array],
    ) -> None:
        """Keep the places.

        Args:
            config: the run file.
            folder: for the local database and pictures.
            read_taxonomy: of the newest labels.
            open_search: opens the embeddings of the newest labels.
            find_groups: gives items the numbers of groups that look alike.
        """
        self.config, self.folder = config, folder
        self.storage = Storage(config.storage)
        self.labels = LabelsTable(config.labels_table, self.storage)
        self.annotations = AnnotationsTable(config.answers, self.storage)
        self.pictures = Pictures(config.reading, config.storage, folder / "pictures")
        self.reservations = Reservations()
        self.nights = Nights(self.labels)
        self.queue = Queue(self.reservations, config.audit_per_week)
        self.grouping = Grouping(self.queue, find_groups)
        self.searching = Searching(open_search)
        self.answers = Answers(self.annotations, self._show)
        self.jobs = JobRunner(config.runs, self.storage, folder / "jobs")
        self.draft = DraftFile(config.taxonomy, self.storage) if config.taxonomy else None
        self.trouble = ""  # what keeps the desk from seeing what others do, for the page
        self._read_taxonomy = read_taxonomy
        self._seen: int | None = None
        self._ends = threading.Event()
        self._changes = threading.Lock()
        self._watch = threading.Thread(target=self._look, name="desk", daemon=True)

    def start(self) -> None:
        """Open the newest version of the table.

        Raises:
            InputError: there is no such table.
            StoreError: a store does not answer.
        """
        version = self.labels.version()
        if version is None:
            raise InputError(
                f"{self.config.labels_table}: there is no labels table here; `reshelve classify` "
                "makes one"
            )
        self.taxonomy, self.table = self._open(version)
        self._watch.start()

    def close(self) -> None:
        """Write what is waiting, and end all that was started."""
        self._ends.set()
        if was_open := self._watch.is_alive():
            self._watch.join()  # it may have begun what is waited for below
        self.jobs.close()
        self.answers.close()
        self.pictures.close()
        self.nights.close()
        self.searching.close()
        self.grouping.wait()
        if was_open:
            self.table.close()

    def look_again(self) -> None:
        """Take in what others have published and answered since.

        Raises:
            InputError, StoreError: a table cannot be read.
        """
        with self._changes:
            version = self.labels.version()
            if version is not None and version != self.table.version:
                old, seen = self.table, self.annotations.version()
                self.taxonomy, self.table = self._open(version)
                self._seen = seen  # what was answered meanwhile was shown in the old one alone
                # pages that were asked for are still being made of it
                threading.Timer(30.0, old.close).start()
                return
            self.table.catch_up()
            with self.answers.writing:  # what is on its way is no news
                seen, known = self.annotations.version(), self._seen
            if seen != known:
                history = with_late(self.annotations.read(), self.taxonomy)
                self.table.take_in(newest_answers(history, self.taxonomy.version), history)
                self._seen = seen

    def _open(self, version: int) -> tuple[Taxonomy, LocalTable]:
        taxonomy = self._read_taxonomy()
        self._seen = self.annotations.version()
        path = self.folder / f"labels-{version}-{time.time_ns()}.duckdb"
        rows = self.labels.batches(version, LABELS_SCHEMA.names)
        paths = {each: taxonomy.path(each) for each in taxonomy.by_id}
        history = with_late(self.annotations.read(), taxonomy)
        answers = newest_answers(history, taxonomy.version)
        write_local(path, rows, paths, answers, history)
        table = LocalTable(path, version)
        self.queue.prepare(table)
        find_sheet(table, taxonomy, Filters())  # the first page, which is read from the disk
        self.grouping.begin(table)
        self.searching.prepare(table)
        return taxonomy, table

    def _show(self, annotations: pa.Table, version: int) -> None:
        if annotations.num_rows:
            self.table.take_in(newest_of_each(annotations), annotations)
        if version == (0 if self._seen is None else self._seen + 1):
            self._seen = version  # nobody else has answered between: there is no more to take in

    def _look(self) -> None:
        while not self._ends.wait(LOOK_EVERY_S):
            try:
                self.look_again()
                self.trouble = ""
            except Exception as error:  # noqa: BLE001  # said on each page; the next look may do
                self.trouble = sentence_of(error)


def newest_of_each(annotations: pa.Table) -> pa.Table:
    """Return the last annotation of each image among some that were given one after the other."""
    last = {
        (item_id, etag or uri): place
        for place, (item_id, etag, uri) in enumerate(
            zip(
                *(annotations[name].to_pylist() for name in ("item_id", "etag", "uri")), strict=True
            )
        )
    }
    return annotations.take(pa.array(sorted(last.values()), pa.int64()))

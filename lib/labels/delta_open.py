"""Opening a Delta table of ours, with a sentence where it is another's, or cannot be read."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from lib.errors import InputError, StoreError
from lib.labels.delta_words import why_not_opened
from lib.storage.errors import refuses
from lib.storage.s3 import delta_options
from lib.storage.storage import Storage
from lib.storage.uris import absolute, check_protocol, join


@dataclass(frozen=True)
class DeltaPlace:
    """Where a table lies, and what it has to be.

    Attributes:
        name: its place as a person wrote it.
        uri: the same, absolute.
        options: of its store, for Delta.
        what: it is, as in "labels table".
        key: that names it in a run file, or the option of a command.
        columns: that it needs.
    """

    name: str
    uri: str
    options: dict[str, str] = field(repr=False)  # it may hold a secret
    what: str
    key: str
    columns: Sequence[str]

    @classmethod
    def of(
        cls, name: str, storage: Storage, *, what: str, key: str, columns: Sequence[str]
    ) -> "DeltaPlace":
        """Find how a place is reached.

        Raises:
            InputError: no store is known that it could lie in.
        """
        uri = absolute(name)
        check_protocol(uri)
        return cls(name, uri, delta_options(uri, storage.config), what, key, columns)

    def open(self, version: int | None = None) -> DeltaTable | None:
        """Open a version, None the newest; return None where there is no table.

        Raises:
            InputError: what lies there is no such table, or its log is damaged.
            StoreError: the store does not answer.
        """
        # not DeltaTable.is_deltatable: it holds the interpreter's lock while it waits for the store
        try:
            table = DeltaTable(self.uri, version=version, storage_options=self.options)
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            what = f"the {self.what}" if version is None else f"version {version}"
            passing = isinstance(error, OSError) and not refuses(error)
            kind = StoreError if passing else InputError
            why = why_not_opened(self.uri, error)
            raise kind(f"{self.name}: {what} cannot be opened: {why}") from error
        known = {each.name for each in table.schema().fields}
        if lacking := [name for name in self.columns if name not in known]:
            raise InputError(
                f"{self.name}: this Delta table has no column '{lacking[0]}', and is not a "
                f"{self.what} of Reshelve; give another {self.key}"
            )
        return table


class NewestVersion:
    """A table at its newest version, again and again: each thread reads its log only once."""

    def __init__(self, place: DeltaPlace, storage: Storage) -> None:
        """Open nothing yet."""
        self._place, self._storage, self._opened = place, storage, threading.local()

    def get(self) -> DeltaTable | None:
        """Return the table, for this thread alone; None where there is none. Raises as `open`."""
        known: DeltaTable | None = getattr(self._opened, "table", None)
        table = self._brought_up(known) or self._place.open()
        self._opened.table = table
        return table

    def _brought_up(self, known: DeltaTable | None) -> DeltaTable | None:
        # where the table was removed meanwhile, another may begin in its place
        if known is None or not self._storage.exists(_commit(self._place.uri, known.version())):
            return None
        try:
            known.update_incremental()
        except (DeltaError, OSError):  # opened anew, it is said why
            return None
        return known


def _commit(uri: str, version: int) -> str:
    return join(uri, f"_delta_log/{version:020}.json")

"""What Delta says of a table that it cannot read or write, in words that say what to do."""

import contextlib
import re
from collections.abc import Iterator

import pyarrow as pa
from deltalake.exceptions import DeltaError

from lib.errors import InputError, StoreError
from lib.storage.errors import last_words, store_words

_FOLDER = ("Could not create local directory", "Invalid table location")
# of a store that gave no file, and of a file that it has not
_NOT_GIVEN = re.compile(r"Error performing |\(os error (?!2\))")
_GONE = re.compile(r"Object at location .* not found")
_LOST = "restore it from a backup, or run with --full and another labels_table"


def why_not_opened(uri: str, error: Exception) -> str:
    """Say why a table cannot be opened; Delta's own words come last.

    Args:
        uri: of the table.
        error: Delta's.
    """
    if isinstance(error, OSError):
        return store_words(error)
    said = last_words(error)
    if said.startswith(_FOLDER):
        return f"no folder is here, or none can be; give another labels_table ({said})"
    return f"its log, {uri}/_delta_log, is damaged or not whole; {_LOST} ({said})"


@contextlib.contextmanager
def readable(name: str) -> Iterator[None]:
    """Turn what reading the table `name` gives into one sentence: no file, or no answer."""
    try:
        yield
    except (DeltaError, OSError, pa.ArrowInvalid) as error:
        said = str(error)
        kind: type[InputError] = InputError
        why = f"one of its files is damaged or gone; {_LOST} ({last_words(error)})"
        if _NOT_GIVEN.search(said) and not _GONE.search(said):
            kind, why = StoreError, store_words(error)
        raise kind(f"{name}: the labels table cannot be read: {why}") from error


def unwritable(name: str, what: str, error: Exception) -> StoreError:
    """Return the sentence of `what`, as the table `name` is to a person, that was not written."""
    return StoreError(f"{name}: {what} cannot be written: {store_words(error)}")

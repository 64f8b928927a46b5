"""The bundle of a run: the one that a run file names, or the one that a table's labels are of."""

from lib.errors import InputError
from lib.labels.delta_table import LabelsTable
from lib.labels.history import newest_made
from lib.models.bundle import Bundle, read_bundle
from lib.storage.storage import Storage

CURRENT = "current"


def find_bundle(named: str, table: LabelsTable, storage: Storage) -> Bundle:
    """Read a bundle by its place; `current` is the one that made the newest labels of a table.

    It stands in the table's commits: what publishes moves it, and what rolls back moves it back.

    Raises:
        InputError: it is not there, or no version of the table says which one it is.
    """
    if named != CURRENT:
        return read_bundle(named, storage)
    newest = newest_made(table.history())
    if newest is None:
        raise InputError(
            f"bundle: 'current' is the bundle of the labels in {table.name}, and no version of it "
            "says which one that is; name the bundle for once"
        )
    bundle = read_bundle(newest.made.bundle, storage)
    if bundle.digest != newest.made.bundle_digest:
        raise InputError(
            f"bundle: 'current' is {bundle.uri}, by version {newest.number} of {table.name}, and "
            "another bundle has taken its place there since; name the bundle"
        )
    return bundle

"""Local copies of a store's indexes, which are mapped into memory: found again by their digest."""

import contextlib
import hashlib
import os
from pathlib import Path

from lib.errors import InputError
from lib.storage.local import appearing
from lib.storage.storage import Storage
from lib.storage.uris import local_path, protocol_of
from lib.storage.user_cache import cache_folder, make_room

MOST_BYTES = 8 * 2**30


def copies_folder() -> Path:
    """Return where copies are kept, unless another folder is given."""
    return cache_folder("indexes")


def local_copy(
    uri: str, digest: str, storage: Storage, folder: Path, most_bytes: int = MOST_BYTES
) -> Path | None:
    """Return a local file that holds an index whole; None where there is no such.

    A local index is that file. Of one in a store, a copy is kept, named by its digest; those that
    were used longest ago make room.

    Args:
        uri: of the index.
        digest: sha256 of its bytes, by its description.
        storage: how to reach it.
        folder: for copies.
        most_bytes: of all copies together; one that is in use stays.
    """
    if protocol_of(uri) == "file":
        path = Path(local_path(uri))
        return path if _digest(path) == digest else None
    path = folder / digest
    if _digest(path) != digest:
        try:
            with appearing(path) as temporary:
                storage.download(uri, temporary)
                if _digest(temporary) != digest:
                    raise InputError(f"{uri}: this index is damaged")  # noqa: TRY301  # nothing of it appears
        except InputError:
            return None
        make_room(folder, most_bytes, keep=path)
    os.utime(path)
    return path


def _digest(path: Path) -> str | None:
    """Return the sha256 of a file, read once in pieces; None where it cannot be read."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return None

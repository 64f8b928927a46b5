"""Local files that appear whole or not at all."""

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def appearing(path: Path, *, exclusive: bool = False, synced: bool = True) -> Iterator[Path]:
    """Yield a temporary file to write, which takes its place on disk when the block ends well.

    Args:
        path: of the file; its folder is made.
        exclusive: raise `FileExistsError` where the file is there already.
        synced: wait until it would outlast a power cut; not for what its readers check.
    """
    # where a file stands in the folder's place, opening the temporary file says so
    with contextlib.suppress(FileExistsError):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except FileNotFoundError:  # of a place that takes no folders, as /proc
            raise OSError(errno.EROFS, "no folder can be made here", str(path.parent)) from None
    # a reader's listing must not take the unfinished file for the real one: hence the dot
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        if synced:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        if exclusive:
            path.hardlink_to(temporary)
        else:
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

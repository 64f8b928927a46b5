"""What spares a machine its work: files in the person's cache folder, bounded, safe to remove."""

import contextlib
import os
from pathlib import Path


def cache_folder(kind: str) -> Path:
    """Return where files of one kind are kept: below `XDG_CACHE_HOME`, or `~/.cache`."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "reshelve" / kind


def make_room(folder: Path, most_bytes: int, keep: Path | None = None) -> None:
    """Remove the files of a folder that were used longest ago; who has one open keeps it.

    Args:
        folder: of one kind.
        most_bytes: of all its files together.
        keep: stays in any case.
    """
    found = []
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process makes room, too
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
    held = 0
    for _, size, path in sorted(found, reverse=True):
        held += size
        if held > most_bytes and path != keep:
            path.unlink(missing_ok=True)

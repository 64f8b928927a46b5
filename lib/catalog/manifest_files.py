"""The files of a manifest: itself, or the parts in a folder that a program has written at once."""

import posixpath

from lib.catalog.manifest_kind import kind_of
from lib.errors import InputError
from lib.storage.errors import explained
from lib.storage.storage import Storage
from lib.storage.uris import join


def manifest_files(uri: str, storage: Storage) -> list[str]:
    """Return the URIs of a manifest's files; none where it is a folder of anything else.

    A folder is a manifest where all files in it are, as Spark, Polars and `reshelve` itself write
    them. What begins with `_` or `.` is no part of it, as `_SUCCESS`, nor is a file without bytes.

    Args:
        uri: absolute.
        storage: how to reach it.

    Raises:
        InputError: it is not there, is a Delta table, or has its parts in folders below.
    """
    filesystem, path = storage.open(uri)
    with explained(uri):
        info = filesystem.info(path)
        if info["type"] != "directory":
            return [uri] if kind_of(uri) else []
        found = filesystem.ls(path, detail=True)
    if "_delta_log" in {_name(each["name"]) for each in found}:
        raise InputError(
            f"{uri}: this is a Delta table, whose files also hold rows of earlier versions; write "
            "its rows into a Parquet file, and give that"
        )
    seen = [each for each in found if not _name(each["name"]).startswith(("_", "."))]
    parts = [each for each in seen if each["type"] != "directory" and kind_of(each["name"])]
    if kind_of(uri) and len(parts) < len(seen):
        other = _name(next(each["name"] for each in seen if each not in parts))
        raise InputError(
            f"{uri}: a folder that is a manifest has its parts side by side, and nothing else; "
            f"here lies '{other}'"
        )
    if kind_of(uri) and not parts:
        raise InputError(f"{uri}: no part of a manifest lies in this folder")
    if len(parts) < len(seen):
        return []
    return sorted(join(uri, _name(each["name"])) for each in parts if each["size"])


def _name(path: str) -> str:
    return posixpath.basename(path.rstrip("/"))

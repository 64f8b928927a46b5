"""Listing a prefix: once, in parallel, and with no request per object."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Any

import fsspec
import pyarrow as pa

from lib.errors import InputError
from lib.items import ITEM_SCHEMA
from lib.storage import Storage, explained, protocol_of

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"),
    *(".tif", ".tiff", ".avif", ".jp2", ".jfif"),
)
LISTERS = 16


def list_prefix(uri: str, storage: Storage, suffixes: tuple[str, ...]) -> pa.Table:
    """List the images below a prefix; `item_id` is the path below it.

    Args:
        uri: the prefix.
        storage: how to reach it.
        suffixes: which files are images, in lower case; "*" takes all.

    Raises:
        InputError: the prefix cannot be listed, or no image lies below it.
    """
    filesystem, root = storage.open(uri)
    root = root.rstrip("/") + "/"
    protocol = protocol_of(uri)
    with explained(uri):
        found = _find(filesystem, root)
    rows: dict[str, list[Any]] = {name: [] for name in ITEM_SCHEMA.names}
    skipped: Counter[str] = Counter()
    for path, info in found.items():
        item_id = path.removeprefix(root)
        if any(part.startswith(".") for part in item_id.split("/")):
            continue
        suffix = PurePosixPath(item_id).suffix.lower()
        if suffix not in suffixes and "*" not in suffixes:
            skipped[suffix or "no suffix"] += 1
            continue
        rows["item_id"].append(item_id)
        rows["uri"].append(path if protocol == "file" else f"{protocol}://{path.lstrip('/')}")
        rows["etag"].append(_etag(info))
        rows["size"].append(info.get("size"))
    if not rows["item_id"]:
        raise InputError(_why_empty(uri, skipped))
    count = len(rows["item_id"])
    columns = {f.name: pa.array(rows[f.name] or [None] * count, f.type) for f in ITEM_SCHEMA}
    return pa.table(columns, schema=ITEM_SCHEMA)


def _find(filesystem: fsspec.AbstractFileSystem, root: str) -> dict[str, dict[str, Any]]:
    """Files below `root`: one level is listed, then the folders in it, many at a time."""
    level = filesystem.ls(root, detail=True)
    found = {each["name"]: each for each in level if each["type"] == "file"}
    folders = [each["name"] for each in level if each["type"] == "directory"]
    with ThreadPoolExecutor(LISTERS) as pool:
        for below in pool.map(lambda folder: filesystem.find(folder, detail=True), folders):
            found.update(below)
    # neither the object that marks an empty "folder" nor a file in the prefix's place is an item
    return {p: info for p, info in found.items() if not p.endswith("/") and p.startswith(root)}


def _etag(info: dict[str, Any]) -> str:
    """Version of an object: the store's etag, or size and time of change where it has none."""
    if "ETag" in info:
        return str(info["ETag"]).strip('"')
    changed = next((info[key] for key in ("mtime", "LastModified", "created") if key in info), 0)
    return f"{info.get('size')}-{changed}"


def _why_empty(uri: str, skipped: Counter[str]) -> str:
    if not skipped:
        return f"{uri}: nothing lies below this prefix"
    seen = ", ".join(f"{count} with {suffix}" for suffix, count in skipped.most_common(5))
    return f"{uri}: no image lies below this prefix, only files {seen}; see 'suffixes'"

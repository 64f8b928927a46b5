"""Listing a prefix: once, in parallel, streamed, and with no request per object."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

import pyarrow as pa

from lib.batches import Batches
from lib.catalog.image_keys import Images, Row, columns_of
from lib.catalog.left_out import BROKEN_LINK, HIDDEN, HIDDEN_FOLDER, LINKED, SPECIAL, LeftOut
from lib.catalog.parallel import gather
from lib.catalog.s3_keys import Keys
from lib.storage.errors import explained
from lib.storage.file_names import shown, uri_of
from lib.storage.storage import Storage
from lib.storage.uris import protocol_of

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"),
    *(".tif", ".tiff", ".avif", ".jp2", ".jfif"),
)
LISTERS = 16
ROWS = 10_000

Tell = Callable[[str], None]  # takes the kind of what is left out


def list_prefix(
    uri: str, storage: Storage, suffixes: tuple[str, ...], left_out: LeftOut
) -> Batches:
    """List the images below a prefix; `item_id` is the path below it.

    Links to folders are not followed, and hidden files and folders are none of the catalog. A local
    file whose name is no text is an item that cannot be fetched, under its name as it is shown.

    Args:
        uri: the prefix.
        storage: how to reach it.
        suffixes: which files are images, in lower case; "*" takes all.
        left_out: learns in the end what lies there and is no item.

    Raises:
        InputError: the prefix cannot be listed, or no image lies below it.
    """
    protocol = protocol_of(uri)
    if protocol == "s3":
        bucket, _, path = uri.split("://", 1)[1].partition("/")
        root = path.rstrip("/") + "/" if path else ""
        images = Images(root, f"s3://{bucket}/", suffixes)
        yield from Keys(uri, storage, bucket, root, images).read()
    else:
        filesystem, root = storage.open(uri)
        root = root.rstrip("/") + "/"
        local = protocol == "file"
        scan = _scan_local if local else partial(_scan, filesystem)
        base = "" if local else f"{protocol}://"
        images = Images(root if local else root.lstrip("/"), base, suffixes)

        def tell(kind: str) -> None:
            images.left_out.add({kind: 1})

        def walk(folder: str, add: Callable[[str], None]) -> Batches:
            # a file in the prefix's place has nothing below; a folder may go once it was seen
            nothing = NotADirectoryError if folder == root else FileNotFoundError
            with explained(uri if folder == root else folder), suppress(nothing):
                rows = scan(folder, add, tell)
                while many := list(islice(rows, ROWS)):
                    yield images.take(*(_local_columns(many, root) if local else columns_of(many)))

        yield from gather([root], walk, LISTERS)
    images.require_one(uri)
    left_out.add(images.left_out.counts)


def _scan_local(folder: str, add: Callable[[str], None], tell: Tell) -> Iterator[Row]:
    with os.scandir(folder) as entries:
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            if entry.name.startswith("."):
                tell(HIDDEN_FOLDER if is_folder else HIDDEN)
            elif is_folder:
                add(entry.path + "/")
            elif entry.is_symlink() and os.path.isdir(entry.path):  # noqa: PTH112  # `entry.is_dir` raises for a loop
                tell(LINKED)
            else:
                try:
                    found = entry.stat() if entry.is_file() else None
                except FileNotFoundError:
                    continue
                except OSError:  # as of a link to itself: whoever fetches it says so
                    yield entry.path, None, None
                    continue
                if found is None:
                    tell(BROKEN_LINK if entry.is_symlink() else SPECIAL)
                else:
                    # lib.images.fetch holds the file against this
                    yield entry.path, f"{found.st_size}-{found.st_mtime}", found.st_size


def _scan(filesystem: Any, folder: str, add: Callable[[str], None], tell: Tell) -> Iterator[Row]:  # noqa: ANN401  # fsspec has no types
    for info in filesystem.ls(folder, detail=True):
        name = info["name"].rstrip("/")
        if info["type"] == "directory":
            # some stores list the folder itself too
            if name == folder.rstrip("/"):
                continue
            if name.rsplit("/", 1)[-1].startswith("."):
                tell(HIDDEN_FOLDER)
            else:
                add(name + "/")
        else:
            yield info["name"].lstrip("/"), _etag(info), info.get("size")


def _etag(info: dict[str, Any]) -> str:
    """Version of an object: the store's etag, or size and time of change where it has none."""
    if "ETag" in info:
        return str(info["ETag"])
    changed = next((info[key] for key in ("mtime", "LastModified", "created") if key in info), 0)
    return f"{info.get('size')}-{changed}"


def _local_columns(rows: Sequence[Row], root: str) -> tuple[pa.Array, ...]:
    """As `columns_of`, with names as they are shown, and the files' own URIs behind."""
    below = [(root + shown(key[len(root) :]), etag, size) for key, etag, size in rows]
    return *columns_of(below), pa.array([uri_of(key) for key, _, _ in rows], pa.string())

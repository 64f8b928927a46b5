"""Whole objects, each within its allowance of bytes and seconds, wherever they lie."""

import os
import re
import stat
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import TypeVar

import fsspec
from fsspec.asyn import AsyncFileSystem, sync

from lib.reasons import ItemError, Reason
from lib.storage.allowance import Allowance, Pieces

LOCAL_VERSION = re.compile(r"\d+-\d+\.\d+")
REST_BYTES = 1 << 16
Answer = TypeVar("Answer")


def changed(uri: str, etag: str | None) -> ItemError:
    """Say that an object is another than the listed one."""
    return ItemError(Reason.CHANGED, f"{uri} is no longer the version {etag}")


def read_file(path: str, etag: str | None, allowance: Allowance) -> bytes:
    """Read a local file, at a version as `lib.catalog.listing` makes it of size and time.

    Raises:
        ItemError: it is not a regular file, another version or too large.
        OSError: it cannot be read.
        TimeoutError: the time is over.
    """
    _check_file(os.stat(path), path, etag, allowance)  # noqa: PTH116  # to open a device may do something
    # whoever opens a FIFO waits for its writer, which may have taken the file's place just now
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123  # Path opens no descriptor
        found = os.fstat(descriptor)
        _check_file(found, path, etag, allowance)
        pieces = Pieces(allowance)
        # in one piece, which is not copied; more comes of files that do not say their length
        count = found.st_size or REST_BYTES
        while piece := file.read(pieces.ask(count)):
            pieces.add(piece)
            count = REST_BYTES
        if piece is None:  # as the kernel's log, which lets its readers wait
            raise _no_file(path)
        _check_file(os.fstat(descriptor), path, etag, allowance)
    return pieces.join()


def _check_file(found: os.stat_result, path: str, etag: str | None, allowance: Allowance) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise _no_file(path)
    if etag and LOCAL_VERSION.fullmatch(etag) and f"{found.st_size}-{found.st_mtime}" != etag:
        raise changed(path, etag)
    allowance.check_bytes(found.st_size)


def _no_file(path: str) -> ItemError:
    return ItemError(Reason.FETCH_FAILED, f"{path} is not a regular file")


def read_s3(
    filesystem: fsspec.AbstractFileSystem, path: str, etag: str | None, allowance: Allowance
) -> bytes:
    """Read an object by s3fs, which can name any key, in one request.

    Raises:
        ItemError: it is another version or too large.
        TimeoutError: the time is over.
    """

    async def read() -> bytes:
        bucket, key, version = filesystem.split_path(path)
        wanted = {"VersionId": version} if version else {}
        # fsspec's own name for the form that is awaited
        reply = await filesystem._call_s3("get_object", Bucket=bucket, Key=key, **wanted)  # noqa: SLF001
        async with reply["Body"] as body:
            if etag and str(reply["ETag"]).strip('"') != etag:
                raise changed(f"s3://{path}", etag)
            allowance.check_bytes(reply["ContentLength"])
            pieces = Pieces(allowance)
            while piece := await body.read(pieces.ask()):
                pieces.add(piece)
            return pieces.join()

    return in_time(filesystem, read, allowance)


def read_other(
    open_store: Callable[[], tuple[fsspec.AbstractFileSystem, str]], allowance: Allowance
) -> bytes:
    """Read an object of any other store that fsspec knows, once its size is known.

    Raises:
        ItemError: it is too large.
        TimeoutError: the time is over; a library that goes on all the same is left to itself.
    """

    def read() -> bytes:
        filesystem, path = open_store()
        if isinstance(filesystem, AsyncFileSystem):
            return in_time(filesystem, lambda: _read_asked(filesystem, path, allowance), allowance)
        with filesystem.open(path, "rb") as file:
            allowance.check_bytes(getattr(file, "size", None) or 0)
            pieces = Pieces(allowance)
            while piece := file.read(pieces.ask()):
                pieces.add(piece)
        return pieces.join()

    return _on_a_thread(read, allowance)


async def _read_asked(
    filesystem: fsspec.AbstractFileSystem, path: str, allowance: Allowance
) -> bytes:
    # fsspec's own names for the forms that are awaited
    size = (await filesystem._info(path)).get("size")  # noqa: SLF001
    if size == 0:
        return b""  # there is no range in it to ask for
    allowance.check_bytes(size or 0)
    data: bytes = await filesystem._cat_file(path, start=0, end=allowance.max_bytes + 1)  # noqa: SLF001
    allowance.check_bytes(len(data), is_all=False)
    return data


def in_time(
    filesystem: fsspec.AbstractFileSystem,
    read: Callable[[], Coroutine[None, None, bytes]],
    allowance: Allowance,
) -> bytes:
    """Await a read on fsspec's own thread, and break it off when the time is over.

    Raises:
        TimeoutError: it is over.
    """
    allowance.check_time()
    data: bytes = sync(filesystem.loop, read, timeout=allowance.left_s)
    return data


def _on_a_thread(work: Callable[[], Answer], allowance: Allowance) -> Answer:
    """Do what nothing can break off on a thread that nobody waits for when the time is over."""
    done: Future[Answer] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001  # it is raised where the answer is waited for
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done.result(allowance.left_s)

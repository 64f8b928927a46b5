"""Object stores and local disk behind one small set of verbs; every write is all or nothing."""

import contextlib
import hashlib
import re
import shutil
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import fsspec
from botocore.exceptions import FlexibleChecksumError

from lib.errors import InputError, StoreError
from lib.storage.config import StorageConfig
from lib.storage.errors import code_of, explained, may_pass
from lib.storage.local import appearing
from lib.storage.retries import ATTEMPTS, pause
from lib.storage.uris import check_protocol, local_path, protocol_of

MD5 = re.compile(r"[0-9a-f]{32}")  # as most stores make the etags of objects written at once


class Storage:
    """Reads, writes and lists by URI: a local path, `s3://`, or any URL that fsspec knows."""

    def __init__(self, config: StorageConfig) -> None:
        """Keep the configuration; connections are made at first use."""
        self.config = config

    def __reduce__(self) -> tuple[type["Storage"], tuple[StorageConfig]]:
        """Travel to another process without the connections."""
        return type(self), (self.config,)

    @cached_property
    def _s3(self) -> fsspec.AbstractFileSystem:
        import s3fs  # noqa: PLC0415  # takes 0.3 s, which local disk need not

        # for all of s3fs, whose own rule looks for words that the reply to a HEAD cannot have
        s3fs.set_custom_error_handler(may_pass)
        config = self.config
        key, secret, token = config.s3_keys() or (None, None, None)
        return fsspec.filesystem(
            "s3",
            key=key,
            secret=secret,
            token=token,
            anon=config.anonymous,
            endpoint_url=config.s3_endpoint,
            client_kwargs={"region_name": config.s3_region},
            use_listings_cache=False,
        )

    def open(self, uri: str) -> tuple[fsspec.AbstractFileSystem, str]:
        """Return the file system of a URI and the path inside it."""
        protocol = protocol_of(uri)
        if protocol == "s3":
            return self._s3, uri.split("://", 1)[1]
        if protocol == "file":
            return fsspec.filesystem("file"), local_path(uri)
        check_protocol(uri)
        with explained(uri):
            filesystem, path = fsspec.url_to_fs(uri, **self.config.options)
        return filesystem, path

    def read(self, uri: str) -> bytes:
        """Read a whole object.

        Raises:
            InputError: it is not there, or the store cannot be reached with these credentials.
        """
        filesystem, path = self.open(uri)
        data = b""

        def take() -> str:
            nonlocal data
            data = filesystem.cat_file(path)
            return hashlib.md5(data, usedforsecurity=False).hexdigest()

        self._take_whole(uri, take)
        return data

    def write(self, uri: str, data: bytes) -> None:
        """Write a whole object in one atomic step, over what was there."""
        self._put(uri, data, exclusive=False)

    def create(self, uri: str, data: bytes) -> bool:
        """Write a whole object in one atomic step unless it exists; False where it does.

        Where the same bytes are on S3 already, they count as ours: when the reply to a write is
        lost, its retry finds what the write left.
        """
        try:
            self._put(uri, data, exclusive=True)
        except FileExistsError:
            return protocol_of(uri) == "s3" and self.read(uri) == data
        return True

    def _put(self, uri: str, data: bytes, *, exclusive: bool) -> None:
        if protocol_of(uri) == "file":
            goal = Path(local_path(uri))
            with explained(uri), appearing(goal, exclusive=exclusive) as temporary:
                temporary.write_bytes(data)
            return
        filesystem, path = self.open(uri)
        for attempt in range(ATTEMPTS):
            try:
                with explained(uri):
                    filesystem.pipe_file(path, data, mode="create" if exclusive else "overwrite")
            except InputError as error:
                # two writes at once; AWS asks for another try of the whole write
                conflict = code_of(error.__cause__) == "ConditionalRequestConflict"
                if not conflict or attempt == ATTEMPTS - 1:
                    raise
                pause(attempt)
            else:
                return

    def upload(self, path: Path, uri: str) -> None:
        """Write a local file as a whole object, in one atomic step, without reading it at once."""
        with explained(uri):
            if protocol_of(uri) != "file":
                filesystem, target = self.open(uri)
                filesystem.put_file(str(path), target)
                return
            with appearing(Path(local_path(uri))) as temporary:
                shutil.copyfile(path, temporary)

    def download(self, uri: str, path: Path) -> None:
        """Copy a whole object to a local file, without holding it in memory."""
        filesystem, source = self.open(uri)

        def take() -> str:
            filesystem.get_file(source, str(path))
            with path.open("rb") as file:
                return hashlib.file_digest(file, "md5").hexdigest()

        self._take_whole(uri, take)

    def _take_whole(self, uri: str, take: Callable[[], str]) -> None:
        """Read until the bytes, whose MD5 `take` gives, are those that the store's etag names."""
        filesystem, path = self.open(uri)
        before = ""
        for attempt in range(ATTEMPTS):
            with explained(uri), contextlib.suppress(FlexibleChecksumError):
                found = take()
                # the same bytes twice are no accident: this etag is something else
                if protocol_of(uri) != "s3" or found == before:
                    return
                etag = filesystem.info(path, refresh=True)["ETag"].strip('"')
                if found == etag or not MD5.fullmatch(etag):
                    return
                before = found
            pause(attempt)
        raise StoreError(f"{uri}: the store gives other bytes at each try")

    def exists(self, uri: str) -> bool:
        """Say whether an object is there."""
        filesystem, path = self.open(uri)
        with explained(uri):
            return bool(filesystem.exists(path))

    def delete(self, uri: str) -> None:
        """Remove an object; nothing happens where it is gone already."""
        filesystem, path = self.open(uri)
        with explained(uri), contextlib.suppress(FileNotFoundError):
            filesystem.rm_file(path)

    def delete_below(self, uri: str) -> None:
        """Remove an object, or a folder and all that is in it; nothing happens where none is."""
        filesystem, path = self.open(uri)
        with explained(uri):
            if filesystem.exists(path):
                filesystem.rm(path, recursive=True)

    def names(self, uri: str) -> set[str]:
        """Names of the objects and folders right below a folder; empty where it does not exist."""
        filesystem, path = self.open(uri)
        try:
            with explained(uri):
                listed = filesystem.ls(path, detail=False)
        except InputError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return set()
            raise
        return {each.rstrip("/").rsplit("/", 1)[-1] for each in listed}

    def versions(self, uri: str) -> dict[str, str]:
        """Versions of the objects right below a folder, by name; empty where it does not exist.

        A version is the store's etag, else size and time; it changes where an object is another.
        """
        filesystem, path = self.open(uri)
        listed: list[dict[str, Any]] = []
        for attempt in range(ATTEMPTS):
            try:
                with explained(uri):
                    listed = filesystem.ls(path, detail=True)
                break
            except InputError as error:
                # of a folder that is there, a file has gone while it was listed
                if not isinstance(error.__cause__, FileNotFoundError):
                    raise
                if not self.exists(uri) or attempt == ATTEMPTS - 1:
                    return {}
        return {
            each["name"].rsplit("/", 1)[-1]: _version(each)
            for each in listed
            if each["type"] == "file"
        }


def _version(listed: Mapping[str, Any]) -> str:
    if etag := listed.get("ETag"):
        return str(etag).strip('"')
    return f"{listed['size']}-{listed.get('mtime', listed.get('created', ''))}"

"""Object stores and local disk behind one small set of verbs; every write is all or nothing."""

import contextlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import fsspec
from botocore.exceptions import BotoCoreError, NoCredentialsError
from pydantic import Field, SecretStr, model_validator

from lib.config import Config
from lib.errors import InputError, StoreError
from lib.retries import ATTEMPTS, pause


class StorageConfig(Config):
    """How to reach the stores. What is not given comes from the standard AWS variables."""

    endpoint_url: str | None = None
    region: str | None = None
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    anonymous: bool = False
    # for stores other than S3: handed to fsspec as they are; hidden, since they may hold secrets
    options: dict[str, Any] = Field(default_factory=dict, repr=False, exclude=True)

    @model_validator(mode="after")
    def _both_keys_or_none(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key go together; one is missing")
        return self

    @property
    def s3_endpoint(self) -> str | None:
        """The S3 endpoint: the run file's, or the environment's."""
        environment = os.environ
        return (
            self.endpoint_url
            or environment.get("AWS_ENDPOINT_URL_S3")
            or environment.get("AWS_ENDPOINT_URL")
        )

    @property
    def s3_region(self) -> str:
        """The S3 region: the run file's, or the environment's."""
        environment = os.environ
        return (
            self.region
            or environment.get("AWS_REGION")
            or environment.get("AWS_DEFAULT_REGION")
            or "us-east-1"
        )

    def s3_keys(self) -> tuple[str, str, str | None] | None:
        """Key, secret and token that the run file gives, or None to use the environment's."""
        if self.access_key_id is None or self.secret_access_key is None:
            return None
        token = self.session_token.get_secret_value() if self.session_token else None
        return (
            self.access_key_id.get_secret_value(),
            self.secret_access_key.get_secret_value(),
            token,
        )


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
        """Give the file system of a URI and the path inside it."""
        protocol = protocol_of(uri)
        if protocol == "s3":
            return self._s3, uri.split("://", 1)[1]
        if protocol == "file":
            return fsspec.filesystem("file"), local_path(uri)
        with explained(uri):
            filesystem, path = fsspec.url_to_fs(uri, **self.config.options)
        return filesystem, path

    def read(self, uri: str) -> bytes:
        """Read a whole object.

        Raises:
            InputError: it is not there, or the store cannot be reached with these credentials.
        """
        filesystem, path = self.open(uri)
        with explained(uri):
            data: bytes = filesystem.cat_file(path)
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
            with explained(uri):
                _put_local(Path(local_path(uri)), data, exclusive=exclusive)
            return
        filesystem, path = self.open(uri)
        for attempt in range(ATTEMPTS):
            try:
                with explained(uri):
                    filesystem.pipe_file(path, data, mode="create" if exclusive else "overwrite")
            except InputError as error:
                # two writes at once; AWS asks for another try of the whole write
                conflict = _code(error.__cause__) == "ConditionalRequestConflict"
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
            goal = Path(local_path(uri))
            goal.parent.mkdir(parents=True, exist_ok=True)
            temporary = goal.with_name(f".{goal.name}.{uuid.uuid4().hex}.tmp")
            try:
                shutil.copyfile(path, temporary)
                temporary.replace(goal)
            finally:
                temporary.unlink(missing_ok=True)

    def download(self, uri: str, path: Path) -> None:
        """Copy a whole object to a local file, without holding it in memory."""
        filesystem, source = self.open(uri)
        with explained(uri):
            filesystem.get_file(source, str(path))

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


def protocol_of(uri: str) -> str:
    """Protocol of a URI: `s3`, `file` for local paths, or another name that fsspec knows."""
    # urlsplit refuses some URIs, such as s3://[a/b.jpg; here each has an answer
    found = re.match(r"([a-zA-Z][\w+.:-]*)://", uri)
    protocol = found[1].lower() if found else "file"
    return "s3" if protocol == "s3a" else protocol


def local_path(uri: str) -> str:
    """Absolute path of a local path or a `file://` URL."""
    return str(Path(uri.removeprefix("file://")).resolve())


def absolute(uri: str) -> str:
    """Make a local path absolute, so that it means the same in every process of the machine."""
    return local_path(uri) if protocol_of(uri) == "file" else uri.rstrip("/")


def join(base: str, *parts: str) -> str:
    """Join names below a URI."""
    return "/".join([base.rstrip("/"), *parts])


def _put_local(path: Path, data: bytes, *, exclusive: bool) -> None:
    # where a file stands in the folder's place, opening the temporary file says so
    with contextlib.suppress(FileExistsError):
        path.parent.mkdir(parents=True, exist_ok=True)
    # a reader's listing must not take the unfinished file for the real one: hence the dot
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if exclusive:
            path.hardlink_to(temporary)
        else:
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turn a store's own errors into one sentence each; `FileExistsError` passes through."""
    try:
        yield
    except FileExistsError:
        raise
    except FileNotFoundError as error:
        if _code(error) == "NoSuchBucket":
            bucket = uri.split("://", 1)[1].partition("/")[0]
            raise InputError(f"{uri}: the bucket '{bucket}' does not exist") from error
        raise InputError(f"{uri}: not found") from error
    except (OSError, BotoCoreError) as error:
        raise _refusal(uri, error) from error
    except (ValueError, ImportError) as error:
        raise InputError(f"{uri}: {error}") from error


def _code(error: BaseException | None) -> str:
    """Give the S3 error code behind an error, as the store says it, or an empty text."""
    response: dict[str, Any] = getattr(getattr(error, "__cause__", None), "response", {})
    return str(response.get("Error", {}).get("Code", ""))


def _refusal(uri: str, error: Exception) -> Exception:
    if protocol_of(uri) == "file" and isinstance(error, OSError):
        return InputError(f"{uri}: {error.strerror or error}")
    if isinstance(error, PermissionError | NoCredentialsError):
        why = _code(error) or error
        return InputError(
            f"{uri}: the store refused these credentials ({why}); set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or 'storage' in the run file"
        )
    if _code(error) == "PreconditionFailed":
        return FileExistsError(uri)
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return StoreError(f"{uri}: the store cannot be reached: {first}")

"""The hot path of object reads: whole images, at the version that was listed."""

import errno
import hashlib
import re
from functools import cached_property
from typing import TYPE_CHECKING

import obstore
from botocore.exceptions import NoCredentialsError, ParamValidationError
from obstore.exceptions import (
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from lib.errors import InputError
from lib.images.config import ReadingConfig
from lib.reasons import ItemError, Reason
from lib.storage.allowance import Allowance
from lib.storage.allowlist import check_links, check_store
from lib.storage.config import StorageConfig
from lib.storage.errors import NO_CREDENTIALS, in_words
from lib.storage.retries import ATTEMPTS, Retries, TransientError
from lib.storage.s3 import Buckets
from lib.storage.storage import MD5, Storage
from lib.storage.uris import local_path, protocol_of
from lib.storage.whole_reads import changed, read_file, read_other, read_s3

if TYPE_CHECKING:
    from obstore import GetOptions  # exists for type checkers alone

    from lib.storage.web import Web

# these say that no object can be read at all, not just this one
CODES = (
    "NoSuchBucket|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken"
    "|RequestTimeTooSkewed|AuthorizationHeaderMalformed|PermanentRedirect"
)
# as obstore and botocore quote the store; a key may hold the same words
HOPELESS = re.compile(
    rf"(?<=<Code>)({CODES})(?=</Code>)|(?<=\()({CODES})(?=\) when calling)"
    r"|(?<= - )Received redirect without LOCATION"  # the bucket lies in another region
)
# another try finds the same
LASTING = (
    *(PermissionError, IsADirectoryError, NotADirectoryError),
    *(PermissionDeniedError, ValueError, ParamValidationError),
)
LASTING_ERRNOS = {errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP}
LASTING_STATUSES = set(range(400, 500)) - {408, 425, 429}
PROVIDER = "External AWS credential provider: "
BUCKET = re.compile(r"[A-Za-z0-9._-]+")


class Fetcher:
    """Reads the bytes of items; S3 through obstore, seven times as many a second as s3fs."""

    def __init__(self, config: StorageConfig, retries: Retries, reading: ReadingConfig) -> None:
        """Keep the configuration; connections are made at first use."""
        self._storage = Storage(config)
        self._retries, self._reading = retries, reading
        allowance = self._allow()
        self._buckets = Buckets(config, allowance.seconds, allowance.stall_s)
        # some stores' etags are no digest of the bytes, as with encryption by KMS
        self._etags_are_md5 = True

    @cached_property
    def _web(self) -> "Web":
        from lib.storage.web import Web  # noqa: PLC0415  # takes 0.3 s, which most catalogs need not

        return Web(self._storage.config, self._reading.stores)

    def _allow(self) -> Allowance:
        return Allowance(self._reading.max_image_bytes, self._reading.timeout_s)

    def fetch(self, uri: str, etag: str | None = None) -> bytes:
        """Read the whole object at `uri`, at the version `etag` where that is known.

        All tries of one item together have `reading.timeout_s` seconds.

        Raises:
            ItemError: `outside_store`, `gone`, `changed`, `too_large` or `fetch_failed`.
            InputError: no object can be read with these credentials, or there is no such bucket.
            ReshelveError: the run's budget of retries is spent.
        """
        check_store(uri, self._reading.stores)
        allowance = self._allow()
        before: bytes | None = None
        for attempt in range(ATTEMPTS):
            try:
                data = self._read(uri, etag, allowance)
                if protocol_of(uri) != "s3" or self._is_whole(data, etag, before):
                    return data
                before = data
                raise TransientError("the bytes are not those of the etag")  # noqa: TRY301  # one way to try again
            except TransientError as error:
                if attempt == ATTEMPTS - 1:
                    raise ItemError(Reason.FETCH_FAILED, str(error)) from None
                self._retries.wait(attempt, error, allowance.left_s)
                if not allowance.left_s:
                    detail = f"the store does not give it within {allowance.seconds:g} s: {error}"
                    raise ItemError(Reason.FETCH_FAILED, detail) from None
        raise AssertionError("the last attempt returns or raises")

    def _read(self, uri: str, etag: str | None, allowance: Allowance) -> bytes:
        try:
            return self._read_once(uri, etag, allowance)
        except ItemError:
            raise
        except PreconditionError:
            raise changed(uri, etag) from None
        except Exception as error:  # each store raises its own kinds; one item is one row
            raise _meaning(error, uri) from error

    def _read_once(self, uri: str, etag: str | None, allowance: Allowance) -> bytes:
        protocol = protocol_of(uri)
        if protocol == "file":
            return read_file(local_path(uri), etag, allowance)
        if protocol in {"http", "https"}:
            return self._web.read(uri, allowance)
        if protocol != "s3":
            check_links(uri)
            return read_other(lambda: self._storage.open(uri), allowance)
        bucket, _, key = uri.split("://", 1)[1].partition("/")
        if not _plain(bucket, key):
            return read_s3(*self._storage.open(uri), etag, allowance)
        condition: GetOptions = {"if_match": f'"{etag}"'} if etag else {}
        found = obstore.get(self._buckets.open(bucket), key, options=condition)
        allowance.check_bytes(found.meta["size"])
        return bytes(found.bytes())

    def _is_whole(self, data: bytes, etag: str | None, before: bytes | None) -> bool:
        """Compare bytes with their etag, where it is their MD5."""
        if not self._etags_are_md5 or etag is None or not MD5.fullmatch(etag):
            return True
        if hashlib.md5(data, usedforsecurity=False).hexdigest() == etag:
            return True
        if data == before:
            # the same bytes twice are no accident: this store's etags are something else
            self._etags_are_md5 = False
        return data == before


def _meaning(error: Exception, uri: str) -> Exception:
    """Tell what cannot be read at all, what is gone, and what another try may give."""
    text = f"{error} {error.__cause__ or ''}"
    if found := HOPELESS.search(text):
        return InputError(
            f"{uri}: the store refuses: {found.group()}; check bucket, region and credentials"
        )
    if isinstance(error, NoCredentialsError) or f"{PROVIDER}PermissionError" in text:
        return InputError(f"{uri}: {NO_CREDENTIALS}")
    first = in_words(error, uri)[:200]
    status = getattr(error, "status", 0)
    if isinstance(error, FileNotFoundError | NotFoundError) or status == 404:
        return ItemError(Reason.GONE, f"{uri} is not there")
    # a role's keys that could not be renewed just now are another matter than a refusal
    refused = isinstance(error, UnauthenticatedError) and PROVIDER not in text
    lasting = isinstance(error, LASTING) or getattr(error, "errno", None) in LASTING_ERRNOS
    if refused or lasting or status in LASTING_STATUSES:
        return ItemError(Reason.FETCH_FAILED, first)
    return TransientError(first)


def _plain(bucket: str, key: str) -> bool:
    """Say whether obstore can name an object; the few others, as a//b.jpg, are read by s3fs."""
    parts = key.split("/")
    # obstore panics at a bucket with a space, and asks `a` for what lies in `a#b`
    named = BUCKET.fullmatch(bucket) and key.isprintable()
    return bool(named) and not {"", ".", ".."} & {bucket, *parts}

"""What a store's own errors mean: one sentence each, and whether another try may help."""

import contextlib
import errno
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    SSLError,
)

from lib.errors import InputError, StoreError
from lib.storage.uris import protocol_of

SET_CREDENTIALS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or 'storage' in the run file"
NO_CREDENTIALS = f"there are no credentials for the store; {SET_CREDENTIALS}"
CREDENTIAL_CODES = {
    *("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthFailure"),
    *("ExpiredToken", "InvalidToken", "AllAccessDisabled", "AccountProblem"),
}
LOCAL_ADVICE = {
    errno.EACCES: "look at its owner and its permissions",
    errno.EPERM: "look at its owner and its permissions",
    errno.EROFS: "give another place",
    errno.EISDIR: "expected a file",
    errno.ENOTDIR: "a file stands where a folder is expected",
    errno.ENOSPC: "make room, then the same command resumes the run",
    errno.EDQUOT: "make room, then the same command resumes the run",
}
# where the system's own words do not say what is meant
LOCAL_WORDS = {
    errno.ELOOP: "a link that leads to itself, or to too many others",
    errno.ENOTDIR: "a file stands where a folder is expected",
}
NUMBER = re.compile(r"\[Errno -?\d+\] ?")  # of the system, before its words
PASSING_STATUSES = {429, 500, 502, 503, 504}


@contextlib.contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turn a store's own errors into one sentence each; `FileExistsError` passes through."""
    try:
        yield
    except FileExistsError:
        raise
    except FileNotFoundError as error:
        if code_of(error) == "NoSuchBucket":
            bucket = uri.split("://", 1)[1].partition("/")[0]
            raise InputError(f"{uri}: the bucket '{bucket}' does not exist") from error
        if isinstance(error.__cause__, OSError):  # as fsspec says it of a host that is not there
            raise _refusal(uri, error.__cause__) from error
        raise InputError(f"{uri}: not found") from error
    except (OSError, BotoCoreError) as error:
        raise _refusal(uri, error) from error
    except (ValueError, ImportError) as error:
        raise InputError(f"{uri}: {error}") from error


def may_pass(error: Exception) -> bool:
    """Say whether the store may answer otherwise a moment later, by the status of its reply."""
    if not isinstance(error, ClientError):
        return False
    return error.response["ResponseMetadata"].get("HTTPStatusCode") in PASSING_STATUSES


def in_words(error: Exception, uri: str) -> str:
    """Say in one line what a store or the system says of an object, without the system's number."""
    if protocol_of(uri) == "file" and isinstance(error, OSError) and error.strerror:
        said = LOCAL_WORDS.get(error.errno or 0, error.strerror)
        return f"{said}: {uri}"
    slow = "it takes too long" if isinstance(error, TimeoutError) else type(error).__name__
    said = NUMBER.sub("", str(error)).strip().replace(":\n", ": ") or slow
    return said.splitlines()[0]


def code_of(error: BaseException | None) -> str:
    """Return the S3 error code behind an error, as the store says it, or an empty text."""
    response: dict[str, Any] = getattr(getattr(error, "__cause__", None), "response", {})
    return str(response.get("Error", {}).get("Code", ""))


def _refusal(uri: str, error: Exception) -> Exception:
    if protocol_of(uri) == "file" and isinstance(error, OSError):
        said = error.strerror or str(error)
        advice = LOCAL_ADVICE.get(error.errno or 0)
        return InputError(f"{uri}: {said}; {advice}" if advice else f"{uri}: {said}")
    if isinstance(error, NoCredentialsError):
        return InputError(f"{uri}: {NO_CREDENTIALS}")
    if isinstance(error, PermissionError):
        return InputError(f"{uri}: {refused_credentials(code_of(error) or str(error))}")
    if code_of(error) == "PreconditionFailed":
        return FileExistsError(uri)
    return StoreError(f"{uri}: {_no_answer(error)}")


def _no_answer(error: Exception) -> str:
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, SSLError):
        return f"the store's TLS certificate is not accepted ({first})"
    if isinstance(error, EndpointConnectionError):
        endpoint = "://".join(urlsplit(error.kwargs["endpoint_url"])[:2])
        return unreachable(endpoint, "could not connect")
    if isinstance(error, OSError) and error.strerror:
        first = error.strerror
    return f"the store cannot be reached: {first}"


def refused_credentials(why: str) -> str:
    """Say that a store refuses, and what to do."""
    return f"the store refused these credentials ({why}); {SET_CREDENTIALS}"


def unreachable(endpoint: str, why: str) -> str:
    """Say that no store answers at an address, and what to look at."""
    return (
        f"the store cannot be reached: nothing answers at {endpoint} ({why}); look at "
        "AWS_ENDPOINT_URL, or storage.endpoint_url in the run file, and at the network"
    )


def refuses(error: Exception) -> bool:
    """Say whether a store's answer, as Delta quotes it, is one that another try will not change."""
    code = re.search(r"<Code>(\w+)</Code>", str(error))
    return bool(code and (code[1] == "NoSuchBucket" or code[1] in CREDENTIAL_CODES))


def store_words(error: Exception) -> str:
    """Say what a store answered, or that it did not, out of the pages that Delta quotes."""
    text = str(error)
    if code := re.search(r"<Code>(\w+)</Code>", text):
        if code[1] == "NoSuchBucket":
            return "the bucket does not exist"
        if code[1] in CREDENTIAL_CODES:
            return refused_credentials(code[1])
        return f"the store says {code[1]}"
    said = last_words(error)
    if "certificate" in text:
        return f"the store's TLS certificate is not accepted ({said})"
    if asked := re.search(r"(https?://[^/\s]+)\S* in ", text):
        return unreachable(asked[1], said)
    return said


def last_words(error: Exception) -> str:
    """Return the last cause that a Rust library names, without colours and frames."""
    text = re.sub(r"\x1b\[\d+m", "", str(error))
    text = re.sub(r"\n +\d+: .*", "", text, flags=re.DOTALL)  # the frames of its stack
    lines = [line.strip(" \u21b3") for line in text.splitlines() if line.strip(" \u21b3")]
    last = lines[-1 if "\u21b3" in text else 0] if lines else type(error).__name__
    # DataFusion says all causes in one line, the last one behind the request
    last = re.sub(r".*Error performing .* - ", "", last)
    return re.sub(r"^((Kernel|External|Parquet) error: )+", "", last)

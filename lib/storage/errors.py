"""What a store's own errors mean: one sentence each, and whether another try may help."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from lib.errors import InputError, StoreError
from lib.storage.uris import protocol_of

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


def code_of(error: BaseException | None) -> str:
    """Return the S3 error code behind an error, as the store says it, or an empty text."""
    response: dict[str, Any] = getattr(getattr(error, "__cause__", None), "response", {})
    return str(response.get("Error", {}).get("Code", ""))


def _refusal(uri: str, error: Exception) -> Exception:
    if protocol_of(uri) == "file" and isinstance(error, OSError):
        return InputError(f"{uri}: {error.strerror or error}")
    if isinstance(error, PermissionError | NoCredentialsError):
        why = code_of(error) or error
        return InputError(
            f"{uri}: the store refused these credentials ({why}); set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or 'storage' in the run file"
        )
    if code_of(error) == "PreconditionFailed":
        return FileExistsError(uri)
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return StoreError(f"{uri}: the store cannot be reached: {first}")


def quoted_reason(error: Exception) -> str:
    """Return the store's own word out of the pages that Delta quotes, else the first line."""
    text = str(error)
    code = re.search(r"<Code>(\w+)</Code>", text)
    return f"the store says {code[1]}" if code else text.splitlines()[0]

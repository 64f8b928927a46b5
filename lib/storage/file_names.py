"""Names of local files that are no text: how they are shown, and why they cannot be fetched."""

import os
import re
from urllib.parse import quote, unquote_to_bytes

from lib.reasons import ItemError, Reason

_LIKE_ESCAPED = re.compile(r"\\(\\|x[89a-f][0-9a-f])")


def is_text(path: str) -> bool:
    """Say whether a path, as the system gives it, can be written in UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(path: str) -> str:
    r"""Return a path as text: bytes that are no UTF-8 as `\xe9`, backslashes beside them double.

    A name that looks like a shown one has its backslashes doubled too, so no two paths are shown
    alike; all others stay as they are.
    """
    if path.isascii() and "\\" not in path:
        return path
    if is_text(path) and not _LIKE_ESCAPED.search(path):
        return path
    return os.fsencode(path.replace("\\", r"\\")).decode("utf-8", "backslashreplace")


def uri_of(path: str) -> str:
    """Return the URI of a local file: its path, or, where that is no text, its URL in percents."""
    return path if path.isascii() or is_text(path) else f"file://{quote(os.fsencode(path))}"


def check_name(uri: str) -> None:
    """Refuse a URL of a local file whose name is no text: no other program would find it by it.

    Raises:
        ItemError: `fetch_failed`.
    """
    if not uri.startswith("file://") or "%" not in uri:
        return
    try:
        unquote_to_bytes(uri).decode()
    except UnicodeDecodeError:
        raise ItemError(
            Reason.FETCH_FAILED, f"{uri:.200}: the file's name is not text in UTF-8; rename it"
        ) from None

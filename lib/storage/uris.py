"""URIs of objects and folders: local paths, `s3://`, and whatever else fsspec knows."""

import os
import re

import fsspec

from lib.errors import InputError


def protocol_of(uri: str) -> str:
    """Protocol of a URI: `s3`, `file` for local paths, or another name that fsspec knows."""
    # urlsplit refuses some URIs, such as s3://[a/b.jpg; here each has an answer
    found = re.match(r"([a-zA-Z][\w+.:-]*)://", uri)
    protocol = found[1].lower() if found else "file"
    return "s3" if protocol == "s3a" else protocol


def check_protocol(uri: str) -> None:
    """Refuse a URI of a store that nobody knows, most often a mistyped one.

    Raises:
        InputError: names the protocol.
    """
    protocol = protocol_of(uri).rpartition("::")[
        2
    ]  # of a chain, as simplecache::s3://, the store's
    if protocol not in fsspec.available_protocols():
        raise InputError(
            f"{uri}: no store is known by '{protocol}://'; expected a local path, s3://BUCKET/..., "
            "or another URL that fsspec knows"
        )


def local_path(uri: str) -> str:
    """Absolute path of a local path or a `file://` URL; links are followed as far as they lead.

    Raises:
        InputError: no path can be so, as one with a NUL byte.
    """
    try:
        # Path.resolve would end at a link to itself; whoever opens it says what is wrong
        return os.path.realpath(uri.removeprefix("file://"))
    except (OSError, ValueError) as error:
        raise InputError(f"{uri!r:.200} is no path: {error}") from None


def absolute(uri: str) -> str:
    """Make a local path absolute, so that it means the same in every process of the machine."""
    return local_path(uri) if protocol_of(uri) == "file" else uri.rstrip("/")


def is_within(place: str, folder: str) -> bool:
    """Say whether an absolute place is a folder, or lies in it."""
    return f"{place}/".startswith(f"{folder.rstrip('/')}/")


def join(base: str, *parts: str) -> str:
    """Join names below a URI."""
    return "/".join([base.rstrip("/"), *parts])

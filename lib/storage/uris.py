"""URIs of objects and folders: local paths, `s3://`, and whatever else fsspec knows."""

import re
from pathlib import Path


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


def is_within(place: str, folder: str) -> bool:
    """Say whether an absolute place is a folder, or lies in it."""
    return f"{place}/".startswith(f"{folder.rstrip('/')}/")


def join(base: str, *parts: str) -> str:
    """Join names below a URI."""
    return "/".join([base.rstrip("/"), *parts])

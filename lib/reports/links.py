"""Where a browser finds an image."""

from pathlib import Path
from urllib.parse import quote

from lib.storage.config import StorageConfig
from lib.storage.uris import local_path, protocol_of


def image_link(uri: str, storage: StorageConfig) -> str | None:
    """Return an address that a browser opens, or None where it opens none.

    An object of S3 is found under its store's address, and is shown to those who may read it.
    """
    protocol = protocol_of(uri)
    if protocol in {"http", "https"}:
        return uri
    if protocol == "file" and "\0" not in uri:
        return Path(local_path(uri)).absolute().as_uri()
    if protocol == "s3":
        bucket, _, key = uri.partition("://")[2].partition("/")
        store = storage.s3_endpoint
        host = f"{store.rstrip('/')}/{quote(bucket)}" if store else _of_amazon(bucket)
        return f"{host}/{quote(key)}"
    return None


def _of_amazon(bucket: str) -> str:
    return f"https://{quote(bucket)}.s3.amazonaws.com"

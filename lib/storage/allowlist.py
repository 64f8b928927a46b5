"""Which stores images may be read from: a manifest is data, and must not lead anywhere else."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yarl

from lib.errors import InputError
from lib.reasons import ItemError, Reason
from lib.storage.uris import join, local_path, protocol_of

WEB = {"http", "https"}
LINK_TO_WEB = re.compile(r"(^|::)https?://", re.IGNORECASE)


def store_of(uri: str) -> str:
    """Return the store that a URI lies in: this machine's disk, a bucket, or a host."""
    protocol = protocol_of(uri)
    return "/" if protocol == "file" else f"{protocol}://{_place(uri)[0]}/"


def lies_in(uri: str, store: str) -> bool:
    """Say whether a URI lies in a store, or below a folder of one.

    A store without a name, as `s3://`, is all of its kind. Hosts and paths of web servers are
    compared as a request would name them, and decoded. Other names are compared as they are
    written; `..` leads out of every folder but a bucket's, where it is a name, and so does `::`,
    behind which fsspec takes another store.

    Raises:
        InputError: the store is no address.
    """
    protocol = protocol_of(uri)
    if protocol != protocol_of(store):
        return False
    if protocol == "file":
        return Path(local_path(uri)).is_relative_to(local_path(store))
    if protocol in WEB:
        return _lies_in_web(uri, store)
    (place, path), (allowed, folder) = _place(uri), _place(store)
    leads_out = protocol != "s3" and (".." in path.split("/") or "::" in place + path)
    below = folder in ("", "/") or path.startswith(join(folder, ""))
    return allowed in ("", place) and below and not leads_out


def names_host(url: str, store: str) -> bool:
    """Say whether a store of the web is, or lies on, the very host of an address."""
    if not protocol_of(url) == protocol_of(store) in WEB:
        return False
    named = _parse_store(store)
    return named.host is not None and _host(named) == _host(yarl.URL(url))


def check_store(uri: str, stores: tuple[str, ...] | None) -> None:
    """Refuse an item whose image lies in none of the stores; None allows all.

    Raises:
        ItemError: `outside_store`; `fetch_failed` where the URI can be none.
        InputError: a store can be none.
    """
    if stores is None:
        return
    try:
        place = local_path(uri) if protocol_of(uri) == "file" else uri
    except InputError as error:  # the item's own URI; what the run file says ends the run
        raise ItemError(Reason.FETCH_FAILED, str(error)) from None
    if any(lies_in(place, store) for store in stores):
        return
    allowed = ", ".join(stores)
    detail = f"{uri:.200} does not lie in {allowed}; reading.stores in the run file names others"
    raise ItemError(Reason.OUTSIDE_STORE, detail)


def check_links(uri: str) -> None:
    """Refuse a chain of stores, as `simplecache::https://`, that leads to a web server.

    fsspec would follow there whatever the server redirects to.

    Raises:
        ItemError: `fetch_failed`.
    """
    if LINK_TO_WEB.search(uri):
        detail = f"{uri:.200} leads to a web server through another store; give its own address"
        raise ItemError(Reason.FETCH_FAILED, detail)


def _place(uri: str) -> tuple[str, str]:
    """Split what follows the protocol into bucket or host, and path."""
    rest = uri.split("://", 1)[1]
    place, slash, path = rest.partition("/")
    return place, slash + path


def _lies_in_web(uri: str, store: str) -> bool:
    allowed = _parse_store(store)
    try:
        url = yarl.URL(uri)  # as the client that asks for it reads it
    except ValueError:
        return False
    folder, parts = [part for part in _parts(allowed) if part], _parts(url)
    below = parts[: len(folder)] == folder and len(parts) > len(folder)
    twice = [unquote(part) for part in parts]  # as some servers decode
    leads_out = any(".." in re.split(r"[/\\]", part) for part in (*parts, *twice))
    return (allowed.host is None or _host(url) == _host(allowed)) and below and not leads_out


def _parse_store(store: str) -> yarl.URL:
    try:
        return yarl.URL(store)
    except ValueError as error:
        raise InputError(f"{store} is no address of a store: {error}") from None


def _host(url: yarl.URL) -> tuple[Any, ...]:
    return url.user, url.password, url.host, url.port


def _parts(url: yarl.URL) -> list[str]:
    """Names of a path, decoded one by one: a slash inside a name parts nothing."""
    return [unquote(part) for part in url.raw_path.split("/")[1:]]

"""Which stores images may be read from: a manifest is data, and must not lead anywhere else."""

from pathlib import Path

from lib.errors import InputError
from lib.reasons import ItemError, Reason
from lib.storage.uris import join, local_path, protocol_of


def store_of(uri: str) -> str:
    """Return the store that a URI lies in: this machine's disk, a bucket, or a host."""
    protocol = protocol_of(uri)
    return "/" if protocol == "file" else f"{protocol}://{_place(uri)[0]}/"


def lies_in(uri: str, store: str) -> bool:
    """Say whether a URI lies in a store, or below a folder of one.

    A store without a name, as `s3://`, is all of its kind. Names of buckets and hosts are compared
    as they are written; `..` leads out of every folder but a bucket's, where it is a name.
    """
    protocol = protocol_of(uri)
    if protocol != protocol_of(store):
        return False
    if protocol == "file":
        return Path(local_path(uri)).is_relative_to(local_path(store))
    (place, path), (allowed, folder) = _place(uri), _place(store)
    leads_out = protocol != "s3" and ".." in path.split("/")
    below = folder in ("", "/") or path.startswith(join(folder, ""))
    return allowed in ("", place) and below and not leads_out


def _place(uri: str) -> tuple[str, str]:
    """Split what follows the protocol into bucket or host, and path."""
    rest = uri.split("://", 1)[1]
    place, slash, path = rest.partition("/")
    return place, slash + path


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

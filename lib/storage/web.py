"""Objects of web servers, in one request each, from nowhere but the stores that are named."""

import socket
from collections.abc import Sequence
from contextvars import ContextVar
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import aiohttp
import fsspec

from lib.reasons import ItemError, Reason
from lib.storage.allowance import Allowance, Pieces
from lib.storage.allowlist import check_store, names_host, store_of
from lib.storage.config import StorageConfig
from lib.storage.whole_reads import in_time

NAT64 = IPv6Network("64:ff9b::/96")  # addresses of IPv4, as networks of IPv6 write them
# the host that a request of this task asks, where a store names it
_named_host: ContextVar[str | None] = ContextVar("_named_host", default=None)


class _NotPublicError(OSError):
    """A connection would lead into a network that a stranger's manifest must not reach."""


class Web:
    """Reads from web servers; whatever they redirect to must lie in the stores, too."""

    def __init__(self, config: StorageConfig, stores: Sequence[str] | None) -> None:
        """Keep the configuration; connections are made at first use.

        Args:
            config: how to reach the servers, as fsspec takes it.
            stores: where objects may lie; None allows each object's own host.
        """
        self._options = config.options
        self._stores = None if stores is None else tuple(stores)

    def read(self, url: str, allowance: Allowance) -> bytes:
        """Read an object.

        Raises:
            ItemError: `outside_store`, `too_large`, or `fetch_failed` by what it redirects to.
            aiohttp.ClientError: the server does not give it.
            TimeoutError: the time is over.
        """
        # the same one for the same options; it is fsspec that keeps the connections
        filesystem = fsspec.filesystem("https", get_client=_open_client, **self._options)
        stalls = aiohttp.ClientTimeout(
            total=None, sock_connect=allowance.stall_s, sock_read=allowance.stall_s
        )
        check = _Check((store_of(url),) if self._stores is None else self._stores)

        async def read() -> bytes:
            session = await filesystem.set_session()
            options = {"timeout": stalls, **filesystem.kwargs, "middlewares": (check,)}
            async with session.get(filesystem.encode_url(url), **options) as reply:
                reply.raise_for_status()
                allowance.check_bytes(reply.content_length or 0)
                pieces = Pieces(allowance)
                while piece := await reply.content.read(pieces.ask()):
                    pieces.add(piece)
                return pieces.join()

        try:
            return in_time(filesystem, read, allowance)
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, _NotPublicError):
                raise ItemError(Reason.OUTSIDE_STORE, str(error.os_error)) from None
            raise
        except (aiohttp.TooManyRedirects, aiohttp.RedirectClientError):
            detail = f"{url:.200} redirects without end, or to no web server"
            raise ItemError(Reason.FETCH_FAILED, detail) from None


class _Check:
    """Holds each request, the first and those that redirects lead to, against the stores."""

    def __init__(self, stores: tuple[str, ...]) -> None:
        self._stores = stores
        self._asked = 0

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        url = str(request.url)
        try:
            check_store(url, self._stores)
        except ItemError as error:
            why = f"it redirects, and {error.detail}" if self._asked else error.detail
            raise ItemError(error.reason, why) from None
        self._asked += 1
        named = any(names_host(url, store) for store in self._stores)
        token = _named_host.set(request.url.host if named else None)
        try:
            return await handler(request)
        finally:
            _named_host.reset(token)


async def _open_client(**options: Any) -> aiohttp.ClientSession:  # noqa: ANN401  # as aiohttp takes them
    connector = aiohttp.TCPConnector(socket_factory=_open_socket)
    return aiohttp.ClientSession(connector=connector, **options)


def _open_socket(found: aiohttp.AddrInfoType) -> socket.socket:
    """Open a socket for an address that was found just now, for the very connection to it."""
    family, kind, protocol, _, (address, *_) = found
    named = _named_host.get()
    if not _may_reach(str(address), named):
        raise _NotPublicError(
            f"{named} lies at an address of its own link; name that address in reading.stores"
            if named
            else "the host has no public address; reading.stores in the run file may name it"
        )
    return socket.socket(family, kind, protocol)


def _may_reach(address: str, named: str | None) -> bool:
    """Say whether an address may be asked, for a host that a store names, or for another.

    A host that is named may lie in a private network. Not even its name leads to addresses of the
    own link, where clouds give away credentials: these are to be named themselves.
    """
    try:
        found = _plain(ip_address(address.partition("%")[0]))
    except ValueError:  # a number that stands for an address, which is one once it is asked
        return False
    if named is None:
        return found.is_global and not found.is_multicast
    return address == named or not found.is_link_local


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the address of IPv4 that is meant, where one of IPv6 only wraps it."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address

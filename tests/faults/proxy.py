"""A reverse HTTP proxy in front of an S3 server that does to requests what bad nights do.

It runs in a process of its own, on real sockets, and streams bodies through. At most one fault
befalls a request, and which one follows from the seed, the method, the key and how often this
method asked for this key before; so the same run meets the same faults. The bucket's name and
the query have no part in it, since tests draw fresh ones.
"""

import asyncio
import contextlib
import json
import random
import re
import socket
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

KINDS = (
    *("slow_down", "internal_error", "conflict", "delay"),
    *("cut_body", "reset", "flip_byte", "lost_reply"),
)
ANSWERS = {
    "slow_down": (503, "SlowDown", "Please reduce your request rate."),
    "internal_error": (500, "InternalError", "We encountered an internal error."),
    "conflict": (409, "ConditionalRequestConflict", "A conflicting operation is under way."),
}
PIECE = 2**16
RESET = struct.pack("ii", 1, 0)  # closing with this SO_LINGER sends a reset


@dataclass(frozen=True, kw_only=True)
class Faults:
    """The rate of each kind of fault, between 0 and 1, and which requests they befall."""

    seed: int = 0
    slow_down: float = 0.0  # 503, as S3 says it
    internal_error: float = 0.0  # 500
    conflict: float = 0.0  # 409, as AWS answers conditional writes that race
    delay: float = 0.0  # the request waits for `delay_s` before it goes on
    cut_body: float = 0.0  # the connection closes after half the body that was promised
    reset: float = 0.0  # connection reset; the store sees nothing of the request
    flip_byte: float = 0.0  # one byte of a GET's body has all its bits flipped
    lost_reply: float = 0.0  # the store does what it was asked, but the connection is reset
    methods: tuple[str, ...] = ()  # none given: all
    paths: str = ""  # a regular expression, searched in the path and the query
    first: int | None = None  # only so many requests of a method for a key meet a fault
    delay_s: tuple[float, float] = (0.1, 0.5)

    def spare(self, method: str, target: str) -> bool:
        """Say whether requests like this one meet no fault at all."""
        is_meant = not self.methods or method in self.methods
        return not (is_meant and re.search(self.paths, target))

    def fate(self, method: str, path: str, times: int) -> tuple[str, random.Random]:
        """Draw the fault of the request after `times` alike, or "", and the dice to go on with."""
        key = path.split("/", 2)[-1]
        dice = random.Random(f"{self.seed} {method} {key} {times}")  # noqa: S311  # must repeat
        rates = [getattr(self, kind) for kind in KINDS]
        drawn = dice.choices((*KINDS, ""), (*rates, 1 - sum(rates)))[0]
        return ("" if self.first is not None and times >= self.first else drawn), dice


class FaultProxy:
    """Starts the proxy in front of `upstream`, as http://host:port, and steers it."""

    def __init__(self, upstream: str, faults: Faults | None = None) -> None:
        self._arguments = json.dumps({"upstream": upstream, "faults": asdict(faults or Faults())})

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603  # this file, by this interpreter
            [sys.executable, __file__, self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate(timeout=30)  # the end of its input ends it

    @property
    def counts(self) -> dict[str, int]:
        """Give how many requests came (`requests`) and what befell them, by kind of fault."""
        return self._tell("counts")

    def down(self) -> None:
        """Make the store go away: open and new connections are reset."""
        self._tell("down")

    def up(self) -> None:
        """Make the store come back."""
        self._tell("up")

    def inflict(self, faults: Faults) -> None:
        """Let other faults befall the requests from now on."""
        self._tell(f"faults {json.dumps(asdict(faults))}")

    def hold(self, request: str, *, after: bool = False) -> None:
        """Hold requests from now on, before they come to the store or after it has done them.

        Args:
            request: a regular expression, searched in the method, the path and the query.
            after: hold the store's reply.
        """
        self._tell(f"hold-{'after' if after else 'before'} {request}")

    @property
    def held(self) -> int:
        """How many requests are held."""
        return self._tell("counts").get("held", 0)

    def release(self) -> None:
        """Hold no more requests; those that are held go on."""
        self._tell("release")

    def drop(self) -> None:
        """Hold no more requests; the connections of those that are held are reset."""
        self._tell("drop")

    def written(self, path: str) -> dict[str, int]:
        """How often the store took each object with a path in which a regular expression is."""
        return self._tell(f"written {path}")

    def _tell(self, word: str) -> dict[str, int]:
        assert self._process.stdin
        assert self._process.stdout
        print(word, file=self._process.stdin, flush=True)
        counts: dict[str, int] = json.loads(self._process.stdout.readline())
        return counts


@dataclass(frozen=True)
class Head:
    """The head of a request or of an answer, as it came."""

    raw: bytes

    @cached_property
    def first_line(self) -> list[str]:
        return self.raw.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)

    def header(self, name: str) -> str:
        found = re.search(rb"(?im)^%s:[ \t]*(.*?)[ \t]*\r$" % name.encode(), self.raw)
        return found[1].decode("latin-1").lower() if found else ""

    @property
    def is_chunked(self) -> bool:
        return "chunked" in self.header("transfer-encoding")

    @property
    def length(self) -> int | None:
        said = self.header("content-length")
        return int(said) if said and not self.is_chunked else None


class LostError(ConnectionError):
    """The client's connection is to be reset."""


class Hold:
    """Holds the requests that a regular expression finds, until it ends."""

    def __init__(self, request: str | None = None, *, after: bool = False) -> None:
        self._request, self._after = request, after
        self._ended = asyncio.Event()
        self._drops = False
        self.held = 0

    async def wait(self, method: str, target: str, *, after: bool) -> None:
        """Return when the request may go on.

        Raises:
            LostError: it may not.
        """
        is_meant = self._request is not None and after == self._after
        if not is_meant or self._ended.is_set():
            return
        if not re.search(self._request or "", f"{method} {target}"):
            return
        self.held += 1
        await self._ended.wait()
        self.held -= 1
        if self._drops:
            raise LostError

    def end(self, *, drop: bool) -> None:
        """Let all go on, or reset their connections."""
        self._drops = drop
        self._ended.set()


class Server:
    """The proxy itself, inside its process."""

    def __init__(self, upstream: str, faults: Faults) -> None:
        self._host, self._port = urlsplit(upstream).hostname, urlsplit(upstream).port
        self._faults = faults
        self._asked: Counter[tuple[str, str]] = Counter()
        self._counts: Counter[str] = Counter()
        self._clients: set[asyncio.StreamWriter] = set()
        self._is_down = False
        self._written: Counter[str] = Counter()
        self._hold = Hold()

    async def serve(self) -> None:
        """Serve until the standard input ends, and do what its lines say."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=1024)
        _say(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
            word, _, rest = line.partition(" ")
            found: Mapping[str, int] = {**self._counts}
            if word in {"up", "down"}:
                self._is_down = word == "down"
            elif word == "faults":
                self._faults = Faults(**json.loads(rest))
            elif word in {"hold-before", "hold-after"}:
                self._hold = Hold(rest, after=word == "hold-after")
            elif word in {"release", "drop"}:
                self._hold.end(drop=word == "drop")
            elif word == "written":
                found = {path: n for path, n in self._written.items() if re.search(rest, path)}
            elif self._hold.held:
                found = {**found, "held": self._hold.held}
            for client in [*self._clients] if self._is_down else ():
                _reset(client)
            _say(json.dumps(found))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        try:
            while await self._exchange(reader, writer):
                pass
        except asyncio.CancelledError:
            _reset(writer)  # the proxy ends
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            # whoever closes between two requests has not failed
            if not isinstance(error, asyncio.IncompleteReadError) or error.partial:
                _reset(writer)
        finally:
            self._clients.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Take one request to its end; say whether the connection takes another."""
        if self._is_down:
            raise LostError
        request = Head(await reader.readuntil(b"\r\n\r\n"))
        method, target, _ = request.first_line
        self._counts["requests"] += 1
        fate, dice = self._draw(method, target)
        if fate == "reset":
            self._counts[fate] += 1
            raise LostError
        if request.header("expect"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if fate in ANSWERS:
            self._counts[fate] += 1
            async for _ in _body(reader, request):
                pass
            writer.write(_answer(fate, with_body=method != "HEAD"))
            await writer.drain()
            return True
        if fate == "delay":
            self._counts[fate] += 1
            await asyncio.sleep(dice.uniform(*self._faults.delay_s))
        await self._hold.wait(method, target, after=False)
        store_reader, store_writer = await asyncio.open_connection(self._host, self._port)
        try:
            # the proxy has answered this one; it is never part of a signature
            store_writer.write(re.sub(rb"(?im)^expect:.*\r\n", b"", request.raw))
            async for piece in _body(reader, request):
                store_writer.write(piece)
                await store_writer.drain()
            return await self._reply(request, store_reader, writer, fate, dice)
        finally:
            store_writer.close()

    def _draw(self, method: str, target: str) -> tuple[str, random.Random]:
        path = target.partition("?")[0]
        if self._faults.spare(method, target):
            return "", random.Random()  # noqa: S311  # never thrown
        self._asked[method, path] += 1
        return self._faults.fate(method, path, self._asked[method, path] - 1)

    async def _reply(
        self,
        request: Head,
        store: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        fate: str,
        dice: random.Random,
    ) -> bool:
        answer = Head(await store.readuntil(b"\r\n\r\n"))
        method, target, _ = request.first_line
        status = answer.first_line[1]
        if method == "PUT" and status.startswith("2"):
            self._written[target.partition("?")[0]] += 1
        await self._hold.wait(method, target, after=True)
        if fate == "lost_reply":
            self._counts[fate] += 1
            raise LostError
        writer.write(answer.raw)
        if method == "HEAD" or status in {"204", "304"}:
            return _stays_open(request, answer)
        length = answer.length or 0
        end, flipped = sys.maxsize, -1
        if length and fate == "cut_body":
            self._counts[fate] += 1
            end = length // 2
        if length and fate == "flip_byte" and method == "GET" and status.startswith("2"):
            self._counts[fate] += 1
            flipped = dice.randrange(length)
        sent = 0
        async for piece in _body(store, answer, to_the_end=True):
            if sent + len(piece) >= end:
                writer.write(piece[: end - sent])
                return False
            writer.write(_flip(piece, flipped - sent))
            await writer.drain()
            sent += len(piece)
        is_framed = answer.length is not None or answer.is_chunked
        return is_framed and _stays_open(request, answer)


def _stays_open(request: Head, answer: Head) -> bool:
    return "close" not in (request.header("connection"), answer.header("connection"))


def _flip(piece: bytes, at: int) -> bytes:
    """Flip the bits of one byte, where the piece has it."""
    if not 0 <= at < len(piece):
        return piece
    return piece[:at] + bytes([piece[at] ^ 255]) + piece[at + 1 :]


async def _body(
    reader: asyncio.StreamReader, head: Head, *, to_the_end: bool = False
) -> AsyncIterator[bytes]:
    """Give a body as it is on the wire; without a length it is empty, or goes `to_the_end`."""
    if head.is_chunked:
        size = 1
        while size:
            line = await reader.readuntil(b"\r\n")
            yield line
            size = int(line.split(b";")[0], 16)
            if size:
                yield await reader.readexactly(size + 2)
        while line != b"\r\n":  # trailers
            line = await reader.readuntil(b"\r\n")
            yield line
    elif head.length is not None:
        left = head.length
        while left:
            piece = await reader.read(min(left, PIECE))
            if not piece:
                raise LostError
            left -= len(piece)
            yield piece
    elif to_the_end:
        while piece := await reader.read(PIECE):
            yield piece


def _answer(kind: str, *, with_body: bool) -> bytes:
    status, code, message = ANSWERS[kind]
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    )
    head = f"HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\n"
    body = xml if with_body else ""
    return f"{head}Content-Length: {len(xml)}\r\n\r\n{body}".encode()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    asyncio.run(Server(given["upstream"], Faults(**given["faults"])).serve())

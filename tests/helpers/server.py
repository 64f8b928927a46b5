"""The process of the proxy: takes requests, draws their faults, does what its input says."""

import asyncio
import contextlib
import json
import random
import re
import socket
import struct
import sys
from collections import Counter
from urllib.parse import urlsplit

from tests.helpers.faults import ANSWERS, Faults
from tests.helpers.messages import Head, LostError, flip, read_body, refusal, stays_open

RESET = struct.pack("ii", 1, 0)  # closing with this SO_LINGER sends a reset


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
        self._done: Counter[tuple[str, str]] = Counter()
        self._hold = Hold()

    async def serve(self) -> None:
        """Serve until the standard input ends, and do what its lines say."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=1024)
        _say(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
            word, _, rest = line.partition(" ")
            found = dict(self._counts)
            if word in {"up", "down"}:
                self._is_down = word == "down"
            elif word == "faults":
                self._faults = Faults(**json.loads(rest))
            elif word in {"hold-before", "hold-after"}:
                self._hold = Hold(rest, after=word == "hold-after")
            elif word in {"release", "drop"}:
                self._hold.end(drop=word == "drop")
            elif word == "done":
                wanted, _, pattern = rest.partition(" ")
                found = {
                    path: times
                    for (method, path), times in self._done.items()
                    if method == wanted and re.search(pattern, path)
                }
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
            async for _ in read_body(reader, request):
                pass
            writer.write(refusal(fate, with_body=method != "HEAD"))
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
            async for piece in read_body(reader, request):
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
        if status.startswith("2"):
            self._done[method, target.partition("?")[0]] += 1
        await self._hold.wait(method, target, after=True)
        if fate == "lost_reply":
            self._counts[fate] += 1
            raise LostError
        writer.write(answer.raw)
        if method == "HEAD" or status in {"204", "304"}:
            return stays_open(request, answer)
        length = answer.length or 0
        end, flipped = sys.maxsize, -1
        if length and fate == "cut_body":
            self._counts[fate] += 1
            end = length // 2
        if length and fate == "flip_byte" and method == "GET" and status.startswith("2"):
            self._counts[fate] += 1
            flipped = dice.randrange(length)
        sent = 0
        async for piece in read_body(store, answer, to_the_end=True):
            if sent + len(piece) >= end:
                writer.write(piece[: end - sent])
                return False
            writer.write(flip(piece, flipped - sent))
            await writer.drain()
            sent += len(piece)
        is_framed = answer.length is not None or answer.is_chunked
        return is_framed and stays_open(request, answer)


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

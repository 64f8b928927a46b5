"""HTTP/1.1 messages, as far as a proxy must understand them to pass them on or to spoil them."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cached_property

from tests.helpers.faults import ANSWERS

PIECE = 2**16


class LostError(ConnectionError):
    """The client's connection is to be reset."""


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


def stays_open(request: Head, answer: Head) -> bool:
    return "close" not in (request.header("connection"), answer.header("connection"))


async def read_body(
    reader: asyncio.StreamReader, head: Head, *, to_the_end: bool = False
) -> AsyncIterator[bytes]:
    """Return a body as it is on the wire; without a length it is empty, or goes `to_the_end`."""
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


def flip(piece: bytes, at: int) -> bytes:
    """Flip the bits of one byte, where the piece has it."""
    if not 0 <= at < len(piece):
        return piece
    return piece[:at] + bytes([piece[at] ^ 255]) + piece[at + 1 :]


def refusal(kind: str, *, with_body: bool) -> bytes:
    """Write a whole answer that refuses a request."""
    status, code, message = ANSWERS[kind]
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    )
    head = f"HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\n"
    body = xml if with_body else ""
    return f"{head}Content-Length: {len(xml)}\r\n\r\n{body}".encode()

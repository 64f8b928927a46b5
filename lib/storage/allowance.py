"""What reading one object may cost: bytes of memory, and seconds over all tries together."""

import time

from lib.reasons import ItemError, Reason

PIECE_BYTES = 4 << 20


def check_bytes(count: int, limit: int, *, is_all: bool = True) -> None:
    """Refuse a file of so many bytes, or one of which so many have come, not all.

    Raises:
        ItemError: `too_large`.
    """
    if count > limit:
        found = f"{count:,} bytes, more than" if is_all else "more bytes than"
        raise ItemError(Reason.TOO_LARGE, f"the file has {found} {limit:,}")


class Allowance:
    """The bytes that an object may have, and a clock that begins as this is made."""

    def __init__(self, max_bytes: int, seconds: float) -> None:
        """Start the clock."""
        self.max_bytes, self.seconds = max_bytes, seconds
        self._ends = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """Seconds that are left; 0 once the time is over."""
        return max(0.0, self._ends - time.monotonic())

    @property
    def stall_s(self) -> float:
        """Seconds to wait for an answer's next bytes, short enough for another try."""
        return min(30.0, self.seconds / 2)

    def check_bytes(self, count: int, *, is_all: bool = True) -> None:
        """Refuse an object of so many bytes, as `check_bytes` does.

        Raises:
            ItemError: `too_large`.
        """
        check_bytes(count, self.max_bytes, is_all=is_all)

    def check_time(self) -> None:
        """Give up where the time is over.

        Raises:
            TimeoutError: it is.
        """
        if not self.left_s:
            raise TimeoutError("it takes too long")


class Pieces:
    """The bytes of an object as they come, within its allowance."""

    def __init__(self, allowance: Allowance) -> None:
        """Begin with none."""
        self._allowance = allowance
        self._pieces: list[bytes] = []
        self._count = 0

    def ask(self, count: int = PIECE_BYTES) -> int:
        """Bytes to ask for next, at most `count`: one over the limit shows that there are more."""
        return min(count, self._allowance.max_bytes + 1 - self._count)

    def add(self, piece: bytes) -> None:
        """Take the next bytes.

        Raises:
            ItemError: `too_large`.
            TimeoutError: the time is over.
        """
        self._pieces.append(piece)
        self._count += len(piece)
        self._allowance.check_bytes(self._count, is_all=False)
        self._allowance.check_time()

    def join(self) -> bytes:
        """Return all of them."""
        return b"".join(self._pieces)

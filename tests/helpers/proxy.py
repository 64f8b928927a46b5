"""A reverse HTTP proxy in front of an S3 server that does to requests what bad nights do.

It runs in a process of its own, on real sockets, and streams bodies through. At most one fault
befalls a request, and which one follows from the seed, the method, the key and how often this
method asked for this key before; so the same run meets the same faults. The bucket's name and
the query have no part in it, since tests draw fresh ones.
"""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.helpers import server
from tests.helpers.faults import Faults

__all__ = ["FaultProxy", "Faults"]
ROOT = Path(__file__).resolve().parents[2]


class FaultProxy:
    """Starts the proxy in front of `upstream`, as http://host:port, and steers it."""

    def __init__(self, upstream: str, faults: Faults | None = None) -> None:
        self._arguments = json.dumps({"upstream": upstream, "faults": asdict(faults or Faults())})

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            [sys.executable, "-m", server.__name__, self._arguments],
            cwd=ROOT,
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
        """Return how many requests came (`requests`) and what befell them, by kind of fault."""
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
        return self._tell(f"done PUT {path}")

    def read(self, path: str) -> dict[str, int]:
        """How often the store gave each object with a path in which a regular expression is."""
        return self._tell(f"done GET {path}")

    def _tell(self, word: str) -> dict[str, int]:
        assert self._process.stdin
        assert self._process.stdout
        print(word, file=self._process.stdin, flush=True)
        counts: dict[str, int] = json.loads(self._process.stdout.readline())
        return counts

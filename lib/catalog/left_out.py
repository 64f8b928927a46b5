"""What lies in a catalog's place and is none of its items, counted by kind, to be said."""

import threading
from collections import Counter
from collections.abc import Mapping

LINKED, HIDDEN_FOLDER, HIDDEN = "linked folder", "hidden folder", "hidden file"
BROKEN_LINK, SPECIAL = "broken link", "special file"  # as a FIFO
NO_SUFFIX, OTHER = "file without a suffix", "other file"
MOST_KINDS = 100  # suffixes that are told apart; a store may have as many as files
LONGEST_SUFFIX = 16
SHOWN = 6


class LeftOut:
    """Counts of what was left out; many threads may add to them."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, counts: Mapping[str, int]) -> None:
        """Add counts by kind: a suffix in lower case, or one of the names above."""
        with self._lock:
            for kind, count in counts.items():
                known = kind in self.counts or len(self.counts) < MOST_KINDS
                self.counts[kind if known and len(kind) <= _longest(kind) else OTHER] += count


def left_out_sentence(counts: Mapping[str, int]) -> str:
    """Say what was left out, folders first; an empty text where nothing was."""
    if not counts:
        return ""
    # a folder may hold any number of files
    order = sorted(counts, key=lambda kind: (not kind.endswith("folder"), -counts[kind], kind))
    said = [_said(kind, counts[kind]) for kind in order[:SHOWN]]
    if rest := order[SHOWN:]:
        said.append(f"{sum(counts[kind] for kind in rest):,} of {len(rest)} other kinds")
    return f"left out: {', '.join(said)}"


def _longest(kind: str) -> int:
    return LONGEST_SUFFIX if kind.startswith(".") else len(kind)


def _said(kind: str, count: int) -> str:
    if kind.startswith(".") or count == 1:
        noun = kind
    else:
        head, space, rest = kind.partition(" without")
        noun = f"{head}s{space}{rest}"
    links = " (not followed)" if kind == LINKED else ""
    return f"{count:,} {noun}{links}"

"""What is a manifest, and of which kind: decided here alone, by the name."""

import re
from typing import Literal

Kind = Literal["parquet", "csv", "tsv", "jsonl"]
NAMES = ".csv, .tsv, .jsonl or .parquet"  # for messages
_SUFFIX = re.compile(r"\.(?:(parquet)|(csv|tsv|jsonl|ndjson)(?:\.gz)?)$", re.IGNORECASE)


def kind_of(uri: str) -> Kind | None:
    """Say of which kind a manifest is, or a folder of its parts; None where the name says nothing.

    Letters may be of either case, and all but Parquet compressed, as in `ITEMS.CSV.gz`.
    """
    if not (found := _SUFFIX.search(uri.rstrip("/"))):
        return None
    kinds: dict[str, Kind] = {"parquet": "parquet", "csv": "csv", "tsv": "tsv"}
    return kinds.get((found[1] or found[2]).lower(), "jsonl")


def is_compressed(uri: str) -> bool:
    """Say whether a manifest's name is that of a file compressed with gzip."""
    return uri.lower().endswith(".gz")

"""How a CSV file parts its columns, as Excel writes it, too; why a table cannot be read."""

from pyarrow import csv

SEPARATORS = (b",", b";", b"\t")


def parse_options(start: bytes) -> csv.ParseOptions:
    """Return how to parse a CSV file, by what stands most often in its first line.

    Args:
        start: its first bytes, a line at least.
    """
    titles = start.partition(b"\n")[0]
    separator = max(SEPARATORS, key=titles.count)  # the comma, where there is none of them
    return csv.ParseOptions(delimiter=separator.decode(), newlines_in_values=True)


def why_unreadable(error: Exception) -> str:
    """Say why a CSV or Parquet file cannot be read, in Arrow's words where they are plain."""
    first = str(error).splitlines()[0]
    if "invalid UTF8" in first:
        return "it is not text in UTF-8; save it as 'CSV UTF-8'"
    if "Empty CSV file" in first:
        return "it is empty"
    return first

"""How a CSV file parts its columns: by commas, or as Excel writes it in much of Europe."""

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

"""How a CSV file parts its columns, as Excel writes it, too; why a table cannot be read."""

import codecs

from pyarrow import csv

SEPARATORS = (",", ";", "\t")
NOT_UTF_8 = (
    "it is not text in UTF-8; in Excel, save it as 'CSV UTF-8 (Comma delimited)', elsewhere export "
    "it with the encoding UTF-8"
)


def encoding_of(start: bytes) -> str:
    """Return the encoding of a CSV file: UTF-8, or UTF-16 as Excel's 'Unicode Text' has it.

    Args:
        start: its first bytes.
    """
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    zeros = [each == 0 for each in start[:4]]  # of Latin letters, every other byte is zero
    if zeros == [False, True, False, True]:
        return "utf-16-le"
    return "utf-16-be" if zeros == [True, False, True, False] else "utf8"


def parse_options(start: bytes) -> csv.ParseOptions:
    """Return how to parse a CSV file, by what stands most often in its first line.

    Args:
        start: its first bytes, a line at least.
    """
    titles = start.decode(encoding_of(start), "ignore").partition("\n")[0]
    separator = max(SEPARATORS, key=titles.count)  # the comma, where there is none of them
    return csv.ParseOptions(delimiter=separator, newlines_in_values=True)


def why_unreadable(error: Exception) -> str:
    """Say why a manifest cannot be read, in the reader's words where they are plain."""
    first = (str(error).splitlines() or [type(error).__name__])[0]
    if isinstance(error, UnicodeError) or "invalid UTF8" in first:
        return NOT_UTF_8
    if "Empty CSV file" in first:
        return "it is empty"
    return first

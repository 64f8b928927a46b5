"""What people have answered elsewhere, as it is read from a file."""

from dataclasses import dataclass
from datetime import datetime

REJECTED = "rejected"  # the answer that an item belongs to no category


@dataclass(frozen=True, kw_only=True)
class Said:
    """One answer, not yet compared with the table.

    Attributes:
        item_id: of the item.
        answer: a category's id, path or name, or `REJECTED`.
        uri: of the image that was asked about; None where the file does not say it.
        etag: its version, or None.
        taxonomy_version: of the categories that there were to choose from; None as above.
        by: who says it; None as above.
        at: when; None as above.
        key: tells the answer from others of the same item, the same at each reading.
    """

    item_id: str
    answer: str
    uri: str | None = None
    etag: str | None = None
    taxonomy_version: str | None = None
    by: str | None = None
    at: datetime | None = None
    key: str


@dataclass(frozen=True)
class Read:
    """What a file holds: answers, and how many of its items have none, each with the reason."""

    said: list[Said]
    without: dict[str, int]

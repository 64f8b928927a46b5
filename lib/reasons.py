"""Why an item has no label: the short list of reason codes in the `error` column."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """A reason code; its value is what the `error` column and the metrics hold."""

    GONE = "gone"
    CHANGED = "changed"
    FETCH_FAILED = "fetch_failed"
    OUTSIDE_STORE = "outside_store"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED_FORMAT = "unsupported_format"
    TOO_LARGE = "too_large"
    DECODE_FAILED = "decode_failed"
    DECODER_CRASH = "decoder_crash"
    TIMEOUT = "timeout"
    NOTHING_TO_COMPARE = "nothing_to_compare"


MEANINGS: dict[Reason, str] = {
    Reason.GONE: "the object was listed but is no longer there",
    Reason.CHANGED: "the object was overwritten since the listing",
    Reason.FETCH_FAILED: "the store did not give the object, in time and after all retries",
    Reason.OUTSIDE_STORE: "the image lies in a store that the run file does not name",
    Reason.EMPTY: "the object has no bytes",
    Reason.TRUNCATED: "the image ends before its last row",
    Reason.NOT_AN_IMAGE: "the bytes are not an image",
    Reason.UNSUPPORTED_FORMAT: "the image is of a format that is not decoded",
    Reason.TOO_LARGE: "the image has more pixels or bytes than the limit",
    Reason.DECODE_FAILED: "the image is damaged inside",
    Reason.DECODER_CRASH: "the image kills the process that decodes it",
    Reason.TIMEOUT: "the image takes longer to decode than the limit",
    Reason.NOTHING_TO_COMPARE: "a match has neither a title nor an embedding of the item",
}


class ItemError(Exception):
    """One item cannot be classified; it becomes a row with this reason, and the run goes on."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """Keep the reason code and one sentence about this item."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["ItemError"], tuple[Reason, str]]:
        """Travel between processes with both parts."""
        return type(self), (self.reason, self.detail)


@dataclass(frozen=True, kw_only=True)
class ErrorItem:
    """One item that could not be classified; `was` is the path of the category that it had."""

    item_id: str
    uri: str
    code: str
    detail: str
    was: str | None = None

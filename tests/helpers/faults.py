"""What a bad night does to requests: the kinds, their rates, and which request meets which."""

import random
import re
from dataclasses import dataclass
from typing import Any

# after these, another try may find the store well
PASSING = (
    *("slow_down", "internal_error", "conflict", "delay"),
    *("cut_body", "reset", "flip_byte", "lost_reply"),
)
LASTING = ("access_denied", "disk_full", "quota_exceeded")
KINDS = (*PASSING, *LASTING)
ANSWERS = {
    "slow_down": (503, "SlowDown", "Please reduce your request rate."),
    "internal_error": (500, "InternalError", "We encountered an internal error."),
    "conflict": (409, "ConditionalRequestConflict", "A conflicting operation is under way."),
    "access_denied": (403, "AccessDenied", "Access Denied"),
    # as MinIO says it, and as Ceph does
    "disk_full": (507, "XMinioStorageFull", "Storage backend has reached its minimum free space."),
    "quota_exceeded": (403, "QuotaExceeded", ""),
}


@dataclass(frozen=True, kw_only=True)
class Faults:
    """The rate of each kind of fault, between 0 and 1, and which requests they befall."""

    seed: int = 0
    slow_down: float = 0.0  # 503, as S3 says it
    internal_error: float = 0.0  # 500
    conflict: float = 0.0  # 409, as AWS answers conditional writes that race
    delay: float = 0.0  # the request waits for `delay_s` before it goes on
    cut_body: float = 0.0  # the connection closes after half the body that was promised
    reset: float = 0.0  # connection reset; the store sees nothing of the request
    flip_byte: float = 0.0  # one byte of a GET's body has all its bits flipped
    lost_reply: float = 0.0  # the store does what it was asked, but the connection is reset
    access_denied: float = 0.0  # 403
    disk_full: float = 0.0  # 507, as MinIO says it
    quota_exceeded: float = 0.0  # 403, as Ceph says it
    methods: tuple[str, ...] = ()  # none given: all
    paths: str = ""  # a regular expression, searched in the path and the query
    first: int | None = None  # only so many requests of a method for a key meet a fault
    delay_s: tuple[float, float] = (0.1, 0.5)

    def spare(self, method: str, target: str) -> bool:
        """Say whether requests like this one meet no fault at all."""
        is_meant = not self.methods or method in self.methods
        return not (is_meant and re.search(self.paths, target))

    def fate(self, method: str, path: str, times: int) -> tuple[str, random.Random]:
        """Draw the fault of the request after `times` alike, or "", and the dice to go on with."""
        key = path.split("/", 2)[-1]
        dice = random.Random(f"{self.seed} {method} {key} {times}")  # noqa: S311  # must repeat
        rates = [getattr(self, kind) for kind in KINDS]
        drawn = dice.choices((*KINDS, ""), (*rates, 1 - sum(rates)))[0]
        return ("" if self.first is not None and times >= self.first else drawn), dice


def only(kind: str, **others: Any) -> Faults:  # noqa: ANN401  # any of the fields of Faults
    """Let one kind befall every request that is meant."""
    rate: dict[str, Any] = {kind: 1}
    return Faults(**rate, **others)


def storm(rate: float) -> dict[str, Any]:
    """Return each kind that may befall any request at any time, with its rate."""
    return {kind: rate for kind in PASSING if kind != "conflict"}

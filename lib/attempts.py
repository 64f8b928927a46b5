"""Which units were begun: one that is begun again has ended badly before."""

import secrets
from datetime import UTC, datetime

from lib.storage import Storage, join

FOLDER = "attempts"


def is_first_attempt(run_uri: str, unit: int, storage: Storage) -> bool:
    """Put on record that a unit is begun; False where that was on record already.

    A process that an image has killed leaves nothing else behind. The loss of a node, or of the
    whole job, looks the same, and costs the unit's next attempt no more than some care.
    """
    # no two attempts write the same: to `create`, equal bytes are its own
    attempt = f"{datetime.now(UTC).isoformat(timespec='seconds')} {secrets.token_hex(8)}"
    return storage.create(join(run_uri, FOLDER, f"unit-{unit:07d}"), attempt.encode())

"""Which units were begun: one that is begun again has ended badly before."""

from datetime import UTC, datetime

from lib.storage import Storage, join

FOLDER = "attempts"


def is_first_attempt(run_uri: str, unit: int, storage: Storage) -> bool:
    """Put on record that a unit is begun; False where that was on record already.

    A process that an image has killed leaves nothing else behind. The loss of a node, or of the
    whole job, looks the same, and costs the unit's next attempt no more than some care.
    """
    begun_at = datetime.now(UTC).isoformat(timespec="seconds")
    return storage.create(join(run_uri, FOLDER, f"unit-{unit:07d}"), begun_at.encode())

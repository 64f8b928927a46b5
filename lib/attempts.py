"""Which units were begun, and by which command: one that is begun again has ended badly before."""

import secrets
from datetime import UTC, datetime

from lib.errors import ReshelveError
from lib.storage import Storage
from lib.uris import join

FOLDER = "attempts"
AGAIN = 4  # times that one command begins a unit which was begun before


def is_first_attempt(run_uri: str, unit: int, command: str, storage: Storage) -> bool:
    """Put on record that a command begins a unit; False where that was on record already.

    A process that an image has killed leaves nothing else behind. The loss of a node, or of the
    whole job, looks the same, and costs the unit's next attempt no more than some care.

    Raises:
        ReshelveError: this command has begun the unit so often that it would never end.
    """
    # no two attempts write the same: to `create`, equal bytes are its own
    attempt = f"{datetime.now(UTC).isoformat(timespec='seconds')} {secrets.token_hex(8)}".encode()
    first = join(run_uri, FOLDER, f"unit-{unit:07d}")
    if storage.create(first, attempt):
        return True
    # those of other commands do not count: however often a job is killed, its next one goes on
    if any(storage.create(f"{first}-{command}-{n}", attempt) for n in range(AGAIN)):
        return False
    raise ReshelveError(
        f"unit {unit} ends its process each time, {AGAIN} times though its images were decoded in "
        f"processes of their own (begun when: {first}-{command}-*); most often memory runs out: "
        "give the nodes more, or lower engine.batch_size, reading.threads or "
        "reading.max_image_pixels; the same command tries again"
    )

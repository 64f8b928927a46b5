"""A local Ray that the tests of a file share."""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def local_ray() -> Iterator[Path]:
    """Start it, and yield the folder of its session."""
    import ray  # noqa: PLC0415  # takes a second, also of tests that are left out

    # as a job starts it: else every pool of actors prints an error about its own arguments
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    started: Any = ray.init(
        address="local",  # never one that someone else runs on this machine
        num_cpus=2,
        include_dashboard=False,
        logging_level=logging.ERROR,
        log_to_driver=False,
    )
    try:
        yield Path(started.address_info["session_dir"])
    finally:
        ray.shutdown()

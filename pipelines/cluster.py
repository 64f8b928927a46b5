"""The Ray cluster a job runs on: the one RAY_ADDRESS names, or this machine."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from lib.errors import ReshelveError


@contextmanager
def connected() -> Iterator[None]:
    """Connect to Ray for as long as the job lasts; a cluster that the caller joined is kept.

    Raises:
        ReshelveError: there is no cluster at RAY_ADDRESS.
    """
    if ray.is_initialized():
        yield
        return
    address = os.environ.get("RAY_ADDRESS")
    # else every pool of actors prints an error about arguments that it restarts well with
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        with warnings.catch_warnings():
            # Ray warns of its own deprecated imports, which no user of a job can mend
            warnings.simplefilter("ignore")
            ray.init(
                address=address or "local",
                include_dashboard=None if address else False,
                logging_level=logging.ERROR,
                # workers' errors come back as exceptions; their chatter is in Ray's own logs
                log_to_driver=False,
            )
    except ConnectionError as error:
        raise ReshelveError(f"no Ray cluster answers at RAY_ADDRESS={address}: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


def resources() -> tuple[float, float]:
    """CPUs and GPUs of the whole cluster."""
    total = ray.cluster_resources()
    return total.get("CPU", 0.0), total.get("GPU", 0.0)

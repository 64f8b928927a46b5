"""The Ray cluster a job runs on: the one RAY_ADDRESS names, or this machine."""

import logging
import os
import socket
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import ray

import lib
import pipelines
from lib.errors import InputError, ReshelveError

KNOCK_S = 10.0
HEAD_EVERY_S, HEAD_MISSES = 5.0, 6  # Ray itself gives up after a minute


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
    if address:
        _check_answers(address)
    # else every pool of actors prints an error about arguments that it restarts well with
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        with warnings.catch_warnings():
            # Ray warns of its own deprecated imports, which no user of a job can mend
            warnings.simplefilter("ignore")
            ray.init(
                address=address or "local",
                # the nodes of a cluster may not have this code
                runtime_env={"py_modules": [lib, pipelines]} if address else None,
                include_dashboard=None if address else False,
                logging_level=logging.ERROR,
                # workers' errors come back as exceptions; their chatter is in Ray's own logs
                log_to_driver=False,
            )
    except ConnectionError as error:
        raise ReshelveError(f"no Ray cluster answers at RAY_ADDRESS={address}: {error}") from error
    if address:
        threading.Thread(target=_watch_head, args=[address], daemon=True).start()
    try:
        yield
    finally:
        ray.shutdown()


def _watch_head(address: str) -> None:
    """End the process where the cluster's head is gone; Ray would do so later, without a word."""
    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    missed = 0
    while missed < HEAD_MISSES:
        time.sleep(HEAD_EVERY_S)
        if not ray.is_initialized():
            return
        try:
            socket.create_connection((host, int(port)), timeout=KNOCK_S).close()
            missed = 0
        except OSError:
            missed += 1
    sys.stderr.write(
        f"error: the head of the Ray cluster at {address} is gone; "
        "the same command goes on from here, on any cluster\n"
    )
    sys.stderr.flush()
    os._exit(ReshelveError.exit_code)


def _check_answers(address: str) -> None:
    """Knock at a cluster's port, since Ray itself waits without end where nothing answers."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():  # a word that Ray knows, as "auto"
        return
    try:
        socket.create_connection((host, int(port)), timeout=KNOCK_S).close()
    except OSError as error:
        raise ReshelveError(f"no Ray cluster answers at RAY_ADDRESS={address}: {error}") from error


def resources() -> tuple[float, float]:
    """CPUs and GPUs of the whole cluster, as it is now."""
    total = ray.cluster_resources()
    return total.get("CPU", 0.0), total.get("GPU", 0.0)


def check_fits(cpus: float, gpus: float, asked_by: str) -> None:
    """Refuse what this machine can never give, since Ray would wait for it without a word.

    A cluster may grow, and is not held to what it has now.

    Raises:
        InputError: names what is asked for and what there is.
    """
    if os.environ.get("RAY_ADDRESS"):
        return
    have_cpus, have_gpus = resources()
    if cpus > have_cpus or gpus > have_gpus:
        raise InputError(
            f"{asked_by}: {cpus:g} CPUs and {gpus:g} GPUs are asked for in all, this machine has "
            f"{have_cpus:g} and {have_gpus:g}"
        )

"""The Ray cluster a job runs on: the one RAY_ADDRESS names, or this machine."""

import logging
import os
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
import ray._private.worker as ray_worker
import yaml

import lib
from lib.cluster.own_ray import own_ray
from lib.errors import InputError, ReshelveError

SUBMITTED = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # set where Ray's job server has begun this process
ON_KUBERNETES = "RAY_USAGE_STATS_KUBERAY_IN_USE"  # KubeRay sets it in every pod
LAUNCHED = Path.home() / "ray_bootstrap_config.yaml"  # on a head that Ray's launcher has started
STARTING_S = 30.0  # between a head that answers and the last of its first nodes
KNOCK_S = 10.0
HEAD_EVERY_S, HEAD_MISSES = 5.0, 6  # Ray itself gives up after a minute


@contextmanager
def connected() -> Iterator[None]:
    """Connect to Ray for as long as the job lasts; a cluster that the caller joined is kept.

    Raises:
        ReshelveError: there is no cluster at RAY_ADDRESS, or Ray does not start on this machine.
    """
    if ray.is_initialized():
        yield
    elif address := os.environ.get("RAY_ADDRESS"):
        with _joined(address):
            yield
    else:
        # telling Ray's makers of the use takes a process and a second
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        with own_ray() as folder:
            _init("local", "on this machine", include_dashboard=False, _temp_dir=str(folder))
            with _left_by(ray.shutdown):
                yield


@contextmanager
def _joined(address: str) -> Iterator[None]:
    if address.startswith("http"):
        raise InputError(
            f"RAY_ADDRESS={address} is a job server: 'reshelve submit' runs jobs through it"
        )
    knock(address)
    # the nodes may not have this code; a submitted job has brought it
    code = None if SUBMITTED in os.environ else {"py_modules": [lib]}
    _init(address, f"at RAY_ADDRESS={address}", runtime_env=code)
    ended = threading.Event()
    watch = threading.Thread(target=_watch_head, args=[address, ended], daemon=True)
    watch.start()

    def leave() -> None:
        ended.set()
        watch.join()
        ray.shutdown()

    with _left_by(leave):
        yield


@contextmanager
def _left_by(leave: Callable[[], None]) -> Iterator[None]:
    """Leave Ray at the end, but not after Ctrl-C.

    Threads that still wait for Ray end the process without a word where it is shut down beneath
    them; it ends with the process.
    """
    stopped = False
    try:
        yield
    except KeyboardInterrupt:
        stopped = True
        raise
    finally:
        if not stopped:
            leave()


def _init(address: str, where: str, **options: Any) -> None:  # noqa: ANN401  # Ray's own
    # what becomes of workers is said by the job, in its own words
    ray_worker._worker_logs_enabled = False  # noqa: SLF001  # Ray's one switch for its listeners
    # else every pool of actors prints an error about arguments that it restarts well with
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        with warnings.catch_warnings(), _without_ray_on_its_own_log():
            # Ray warns of its own deprecated imports, which no user of a job can mend
            warnings.simplefilter("ignore")
            ray.init(
                address=address,
                logging_level=logging.ERROR,
                # workers' errors come back as exceptions; their chatter is in Ray's own logs
                log_to_driver=False,
                **options,
            )
    except ConnectionError as error:
        raise ReshelveError(f"no Ray cluster answers {where}: {error}") from error
    except Exception as error:  # Ray has no class for a node that takes too long to start
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ReshelveError(
            f"Ray does not start {where}: {first:.300}; the same command tries again"
        ) from error


@contextmanager
def _without_ray_on_its_own_log() -> Iterator[None]:
    """Leave out what Ray's native code writes to stderr of the level of its log, and no more."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            said = [line for line in file if b"logging.cc" not in line]
            os.write(2, b"".join(said))


def _watch_head(address: str, ended: threading.Event) -> None:
    """End the process where the cluster's head is gone; Ray would do so later, without a word."""
    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    missed = 0
    while missed < HEAD_MISSES:
        if ended.wait(HEAD_EVERY_S):
            return
        try:
            socket.create_connection((host, int(port)), timeout=KNOCK_S).close()
            missed = 0
        except OSError:
            missed += 1
    sys.stderr.write(
        f"error: the head of the Ray cluster at {address} is gone; "
        "the same command resumes the run, on any cluster\n"
    )
    sys.stderr.flush()
    os._exit(ReshelveError.exit_code)


def knock(address: str) -> None:
    """Knock at a cluster's port, since Ray itself waits without end where nothing answers.

    Raises:
        ReshelveError: nothing answers.
    """
    host, _, port = address.rpartition("://")[2].partition("/")[0].rpartition(":")
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


def capacity() -> tuple[float, float]:
    """CPUs and GPUs that the cluster has, or will have when its autoscaler has done its most."""
    cpus, gpus = resources()
    if not LAUNCHED.exists():
        return cpus, gpus
    config = yaml.safe_load(LAUNCHED.read_text())
    most = {"CPU": 0.0, "GPU": 0.0}
    for name, kind in config["available_node_types"].items():
        nodes = 1 if name == config["head_node_type"] else kind.get("max_workers", 0)
        for what in most:
            most[what] += nodes * kind.get("resources", {}).get(what, 0)
    return max(cpus, most["CPU"]), max(gpus, most["GPU"])


def check_fits(cpus: float, gpus: float, asked_by: str) -> None:
    """Refuse what this machine or cluster can never give: Ray would wait for it without a word.

    Nodes of a cluster that is just starting are waited for. On Kubernetes nothing tells how far
    the cluster may grow, and nothing is refused.

    Raises:
        InputError: names what is asked for and what there is.
    """
    on_cluster = bool(os.environ.get("RAY_ADDRESS"))
    if on_cluster and ON_KUBERNETES in os.environ:
        return
    deadline = time.monotonic() + (STARTING_S if on_cluster else 0)
    while True:
        have_cpus, have_gpus = capacity()
        if cpus <= have_cpus and gpus <= have_gpus:
            return
        if time.monotonic() >= deadline:
            break
        time.sleep(1)
    where = "this cluster has, and ever will have," if on_cluster else "this machine has"
    raise InputError(
        f"{asked_by}: {cpus:g} CPUs and {gpus:g} GPUs are asked for in all, but {where} "
        f"{have_cpus:g} and {have_gpus:g}"
    )

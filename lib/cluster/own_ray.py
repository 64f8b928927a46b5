"""A Ray of a job's own: reached from this machine alone, with a token, and gone with the job."""

import importlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ray._private import ray_constants

from lib.errors import ReshelveError

# the path of a socket has 107 bytes at most, and 86 of them are Ray's and the folder's
_LONGEST_PLACE: Final = 21


@contextmanager
def own_ray() -> Iterator[Path]:
    """Yield a folder for a Ray that is to be started, which no other user can talk to.

    By itself Ray listens on all of a machine's addresses, and asks for one token for all, which it
    keeps in the home folder (https://docs.ray.io/en/latest/ray-security/token-auth.html). Here its
    processes listen on loopback alone, and the token is the job's own, in a folder that only this
    user can read. The folder is removed in the end, with Ray's logs.

    Raises:
        ReshelveError: it cannot be made.
    """
    folder = _make_folder()
    token = folder / "token"
    token.touch(0o600)
    token.write_text(secrets.token_hex(32))
    own = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        # the variable's name says where it is the default: on one machine, by loopback alone
        ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR: "0",
    }
    before = {name: os.environ.get(name) for name in (*own, "RAY_AUTH_TOKEN")}
    on_network = ray_constants.ENABLE_RAY_CLUSTER
    os.environ.pop("RAY_AUTH_TOKEN", None)
    os.environ.update(own)
    ray_constants.ENABLE_RAY_CLUSTER = False
    _read_again()
    stopped = False
    try:
        yield folder / "ray"
    except KeyboardInterrupt:
        stopped = True  # Ray still runs, with its token, until this process ends
        raise
    finally:
        if not stopped:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
            ray_constants.ENABLE_RAY_CLUSTER = on_network
            _read_again()
        shutil.rmtree(folder, ignore_errors=True)


def _make_folder() -> Path:
    """Make a folder that is this user's alone."""
    place = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    if len(place) > _LONGEST_PLACE:
        place = "/tmp"  # noqa: S108  # what is made there has a name that nobody can guess
    try:
        return Path(tempfile.mkdtemp(prefix="reshelve-", dir=place))
    except OSError as error:
        raise ReshelveError(
            f"Ray does not start on this machine: no folder can be made in {place} "
            f"({error.strerror}); name another in RAY_TMPDIR"
        ) from error


def _read_again() -> None:
    """Let Ray read the environment, as it does when it is imported."""
    native: Any = importlib.import_module("ray._raylet")  # compiled, without types
    native.Config.initialize("")
    native.AuthenticationTokenLoader.instance().reset_cache()

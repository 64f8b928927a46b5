import os
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import psutil
import pytest

from lib.cluster.connection import connected
from tests.helpers.jobs import ROOT

pytestmark = [pytest.mark.ray, pytest.mark.timeout(120)]
AUTHENTICATION = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
STRANGER = """
import sys
from ray._raylet import GcsClient

GcsClient(address=sys.argv[1]).internal_kv_get(b"any", namespace=None)
"""


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Apart from other Rays, with a folder for temporary files too long for Ray's sockets."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))


def test_a_ray_of_a_jobs_own_listens_on_loopback_alone_and_asks_for_a_token() -> None:
    import ray  # noqa: PLC0415  # takes a second, also of tests that are left out

    before = dict(os.environ)
    # another test's Ray may have set the mode, and the native code keeps what it has read of it
    authentication = {name: before.get(name) for name in AUTHENTICATION}
    with connected():
        children = psutil.Process().children(recursive=True)
        connections = [each for one in [psutil.Process(), *children] for each in open_of(one)]
        token = Path(os.environ["RAY_AUTH_TOKEN_PATH"])
        modes = [token.stat().st_mode & 0o777, token.parent.stat().st_mode & 0o777]
        address = ray.get_runtime_context().gcs_address
        stranger = subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-c", STRANGER, address],
            env=before,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    assert len(connections) > 5
    assert all(loopback(each) for each in connections), connections
    assert modes == [0o600, 0o700]
    assert stranger.returncode != 0
    assert "token is missing or incorrect" in stranger.stderr
    assert not token.parent.exists()
    assert {name: os.environ.get(name) for name in AUTHENTICATION} == authentication


def test_it_starts_where_the_home_folder_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray  # noqa: PLC0415  # as above

    monkeypatch.setenv("HOME", "/proc/none")

    with connected():
        assert ray.get(ray.put(1)) == 1


def open_of(process: psutil.Process) -> list[str]:
    found = process.net_connections("tcp")
    return [each.laddr.ip for each in found if each.status == psutil.CONN_LISTEN]


def loopback(address: str) -> bool:
    found = ip_address(address)
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback

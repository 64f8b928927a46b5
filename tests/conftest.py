"""What several tests share: the folder of real data, and an S3 store to talk to."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import s3fs

REGION = "us-east-1"
# Apart from the tests' process: a library that holds the interpreter's lock while it waits for
# the store would wait for ever. It ends with its standard input, whatever becomes of the tests.
MOTO = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
MOTO_PAGE = 20  # a page of moto's listings; S3's has 1,000
SLOW = ("s3", "networks", "processes", "ray")  # each slower than the one before


@dataclass(frozen=True)
class Server:
    """An S3 server: moto's on this machine, or the Ceph gateway that the environment names."""

    endpoint: str
    key: str
    secret: str
    is_ceph: bool

    @cached_property
    def client(self) -> Any:  # noqa: ANN401  # botocore makes its clients' classes at run time
        return botocore.session.Session().create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
        )


@dataclass(frozen=True)
class Bucket:
    """A fresh bucket on the server, which the environment's variables lead to."""

    name: str
    server: Server

    @property
    def uri(self) -> str:
        return f"s3://{self.name}"

    def put(self, key: str, data: bytes) -> None:
        """Write an object as any other program would, without the code under test."""
        self.server.client.put_object(Bucket=self.name, Key=key, Body=data)

    def list_keys(self) -> list[str]:
        pages = self.server.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return [each["Key"] for page in pages for each in page.get("Contents", [])]


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Server]:
    endpoint = os.environ.get("RESHELVE_TEST_S3_ENDPOINT")
    if endpoint:
        key = os.environ["RESHELVE_TEST_S3_KEY"]
        yield Server(endpoint, key, os.environ["RESHELVE_TEST_S3_SECRET"], is_ceph=True)
        return
    environment = {**os.environ, "MOTO_S3_DEFAULT_MAX_KEYS": str(MOTO_PAGE)}
    with subprocess.Popen(  # noqa: S603  # the command is a constant
        [sys.executable, "-c", MOTO],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    ) as moto:
        assert moto.stdout
        assert moto.stdin
        port = int(moto.stdout.readline())
        yield Server(f"http://127.0.0.1:{port}", "testkey", "testsecret", is_ceph=False)
        moto.stdin.close()


@pytest.fixture
def s3(s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    # nothing of the person's own AWS settings may reach a test
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret)
    bucket, client = Bucket(f"reshelve-test-{uuid.uuid4().hex}", s3_server), s3_server.client
    client.create_bucket(Bucket=bucket.name)
    yield bucket
    while keys := bucket.list_keys()[:1000]:  # S3 deletes no more at once
        objects = [{"Key": key} for key in keys]
        client.delete_objects(Bucket=bucket.name, Delete={"Objects": objects, "Quiet": True})
    client.delete_bucket(Bucket=bucket.name)


@pytest.fixture(params=["disk", "s3"])
def disk_or_s3(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty folder, on disk and on S3."""
    return str(tmp_path if request.param == "disk" else request.getfixturevalue("s3").uri)


@pytest.fixture
def s3_without_keys(s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket for which the environment holds no credentials."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    # fsspec keeps file systems by their arguments, and the environment's keys are none of them
    s3fs.S3FileSystem.clear_instance_cache()
    yield s3
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Find the folder of real data, or skip the test and say why."""
    default = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("RESHELVE_SHARED", default))
    if not (folder / "data").is_dir():
        pytest.skip(f"no real data: {folder} has no folder 'data'; set RESHELVE_SHARED")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what talks to an S3 server, for runs against another one; put slow files first."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        # a fixture may be asked for by its name, for one parameter alone
        chosen = getattr(item, "callspec", None)
        if {"s3", "s3_server"} & fixtures or (chosen and "s3" in map(str, chosen.params.values())):
            item.add_marker("s3")
    # of two workers, neither is to begin a slow file while the other has nothing left
    slowest: dict[Path, int] = {}
    for item in items:
        slowest[item.path] = max(slowest.get(item.path, 0), slowness(item))
    items.sort(key=lambda item: -slowest[item.path])


def slowness(item: pytest.Item) -> int:
    """How slow a test is by its marks, where a larger number is slower."""
    return max(
        (SLOW.index(mark.name) + 1 for mark in item.iter_markers() if mark.name in SLOW), default=0
    )

"""The S3 store that benchmarks write to and read from: the environment's, or moto's own server."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from benchmarks.needs import S3_ENDPOINT, S3_KEY, S3_SECRET
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage


class Store:
    """A store, which the environment's variables lead to.

    Attributes:
        name: for a person.
        is_moto: whether it is moto's, of which nothing stays.
    """

    def __init__(self, name: str, moto: "subprocess.Popen[str] | None" = None) -> None:
        """Keep its process, where it is moto's."""
        self.name, self.is_moto, self._moto = name, moto is not None, moto

    @contextmanager
    def bucket(self) -> Iterator[str]:
        """Make a bucket, and remove it with all that is in it."""
        filesystem = Storage(StorageConfig()).open("s3://any")[0]
        bucket = f"reshelve-bench-{uuid.uuid4().hex}"
        filesystem.call_s3("create_bucket", Bucket=bucket)
        try:
            yield bucket
        finally:
            if not self.is_moto:
                filesystem.rm(bucket, recursive=True)

    def share(self) -> None:
        """Let moto serve from a process per core: nothing more is written from now on."""
        if self._moto:
            assert self._moto.stdin
            assert self._moto.stdout
            self._moto.stdin.write("share\n")
            self._moto.stdin.flush()
            self._moto.stdout.readline()

    def cpu_s(self) -> float:
        """Return the CPU seconds that moto has taken so far; 0 of another store."""
        if not self._moto:
            return 0.0
        server = psutil.Process(self._moto.pid)
        times = [each.cpu_times() for each in (server, *server.children())]
        return float(sum(each.user + each.system for each in times))


@contextmanager
def open_store() -> Iterator[Store]:
    """Open the store that RESHELVE_TEST_S3_ENDPOINT names, or start moto's and end it afterwards.

    The variables `AWS_*` of this process, and so of all that it starts, lead to it meanwhile.
    """
    if endpoint := os.environ.get(S3_ENDPOINT):
        with _environment(endpoint, os.environ[S3_KEY], os.environ[S3_SECRET]):
            yield Store(f"the store at {endpoint}")
        return
    with subprocess.Popen(  # our own server
        [sys.executable, "-m", "benchmarks.moto_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as moto:
        assert moto.stdin
        assert moto.stdout
        try:
            port = int(moto.stdout.readline())
            with _environment(f"http://127.0.0.1:{port}", "key", "secret"):
                yield Store("moto's server on the same cores", moto)
        finally:
            moto.stdin.close()  # its processes end with it, also where this one is killed


@contextmanager
def _environment(endpoint: str, key: str, secret: str) -> Iterator[None]:
    """Lead all to a store, and nothing of the person's own settings with it."""
    before = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    for name in before:
        del os.environ[name]
    os.environ |= {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(before)

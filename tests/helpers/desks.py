"""Desks that are really served, on loopback, for tests to ask."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn

from lib.desk.config import DeskConfig
from lib.desk.state import Desk
from lib.storage.config import StorageConfig
from pipelines.desk import app_of, opened
from tests.helpers.ports import free_port

STORAGE = StorageConfig()


def config_of(folder: Path, **more: object) -> DeskConfig:
    """Return the run file of a desk on what `searched.make_shop` has made."""
    return DeskConfig.model_validate(
        {
            "labels_table": str(folder / "labels"),
            "embeddings": str(folder / "embeddings"),
            "runs": str(folder / "runs"),
            "reading": {"stores": [str(folder)]},
            **more,
        }
    )


@dataclass(frozen=True)
class Served:
    """A desk that is served, and a client that has opened it as a browser does."""

    desk: Desk
    url: str
    client: httpx.Client

    def post(self, path: str, data: dict[str, object]) -> httpx.Response:
        """Send a form as a page does."""
        return self.client.post(path, data=data, headers={"x-csrf-token": self.csrf()})

    def csrf(self) -> str:
        """Return what a page sends along, read from a page."""
        text = self.client.get("/nowhere").text
        return text.partition('"X-CSRF-Token": "')[2].partition('"')[0]


@contextmanager
def served(
    config: DeskConfig, token: str | None = None, user_header: str | None = None
) -> Iterator[Served]:
    """Serve a desk in a thread of this process."""
    port = free_port()
    with opened(config, lambda _: None) as desk:
        app = app_of(desk, "127.0.0.1", token, user_header)
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            url = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=url, timeout=30) as client:
                yield Served(desk, url, client)
        finally:
            server.should_exit = True
            thread.join()

"""A desk, step by step: open the table and what belongs to it, and serve its pages."""

import getpass
import secrets
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from lib.embeddings.store import EmbeddingStore
from lib.errors import InputError, ReshelveError
from lib.images.config import ReadingConfig
from lib.labels.delta_table import LabelsTable
from lib.labels.history import newest_made
from lib.models.bundle import Bundle
from lib.runs.progress import stage
from lib.runs.run import open_folder
from lib.storage.storage import Storage
from pipelines.current_bundle import find_bundle
from pipelines.search import Searched, open_search
from pipelines.steps import Say

if TYPE_CHECKING:
    from lib.desk.config import DeskConfig
    from lib.desk.security import Guard
    from lib.desk.state import Desk

LOOPBACK = ("127.0.0.1", "localhost")


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where a desk listens, and the token that a browser must show, if any."""

    host: str
    port: int
    token: str | None


@contextmanager
def opened(config: "DeskConfig", say: Say) -> "Iterator[Desk]":
    """Open a desk, and close it at the end.

    Raises:
        InputError: there is no such table, bundle or taxonomy.
        StoreError: a store does not answer.
    """
    from lib.desk.render import compile_templates  # noqa: PLC0415  # what serves pages takes a second
    from lib.desk.state import Desk  # noqa: PLC0415  # as above

    config = config.model_copy(update={"reading": _as_the_newest_run(config)})
    with tempfile.TemporaryDirectory(prefix="reshelve-desk-") as folder:
        desk = Desk(
            config,
            Path(folder),
            lambda: _bundle_of(config).taxonomy,
            lambda: _search_of(config),
            lambda items: _groups_of(config, items),
        )
        with closing(desk):
            templates = threading.Thread(target=compile_templates)
            templates.start()
            with stage(say, "opening the labels table"):
                desk.start()
            templates.join()
            yield desk


def app_of(desk: "Desk", host: str, token: str | None, user_header: str | None) -> "Guard":
    """Return the app of a desk.

    Args:
        desk: open.
        host: that it listens on.
        token: that a browser must show, or None.
        user_header: in which a reverse proxy names the user, or None.
    """
    from lib.desk.app import make_app  # noqa: PLC0415  # as above
    from lib.desk.pages import (  # noqa: PLC0415  # as above
        browse,
        category,
        home,
        item,
        jobs,
        pictures,
        queue,
        queue_answers,
        runs,
        search,
        taxonomy,
        taxonomy_photos,
        teach,
    )
    from lib.desk.security import NAMES_OF_LOOPBACK, Access  # noqa: PLC0415  # as above

    access = Access(
        hosts={*NAMES_OF_LOOPBACK, host, socket.gethostname()},
        token=token,
        user_header=user_header,
        user=getpass.getuser(),
        upload_bytes=desk.config.reading.max_image_bytes,
    )
    pages = (
        home,
        pictures,
        taxonomy,
        taxonomy_photos,
        runs,
        teach,
        jobs,
        browse,
        item,
        category,
        search,
        queue,
        queue_answers,
    )
    return make_app(desk, access, [page.router for page in pages])


def token_for(host: str, user_header: str | None) -> str | None:
    """Return a token where others than this machine reach the desk, and no proxy names them."""
    return None if host in LOOPBACK or user_header else secrets.token_urlsafe(24)


def serve(app: "Guard", place: Listening, say: Say, show: Callable[[str], object] | None) -> None:
    """Serve until the process is stopped.

    Args:
        app: of the desk.
        place: where it listens.
        say: takes each line for the person who waits.
        show: opens the address in a browser, or None.

    Raises:
        InputError: the port is taken, or the host is none of this machine.
    """
    import uvicorn  # noqa: PLC0415  # as above

    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((place.host, place.port))
        except OSError as error:
            where = f"--host {place.host} --port {place.port}"
            raise InputError(f"{where}: {error.strerror}; name another") from None
        listening.listen(128)
        address = f"http://{place.host}:{listening.getsockname()[1]}/"
        address += f"?token={place.token}" if place.token else ""
        say(f"desk: {address}")
        say("Ctrl-C ends it; what was answered is kept")
        if show:
            show(address)
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
        uvicorn.Server(config).run(sockets=[listening])


def _as_the_newest_run(config: "DeskConfig") -> ReadingConfig:
    """Return how images are read: from the stores that the newest run may read from."""
    storage = Storage(config.storage)
    newest = newest_made(LabelsTable(config.labels_table, storage).history())
    if config.reading.stores is not None or newest is None or not newest.made.run:
        return config.reading
    with suppress(ReshelveError):  # its folder may be gone
        reading = open_folder(newest.made.run, storage).record.run_file.get("reading") or {}
        return config.reading.within(reading.get("stores") or ())
    return config.reading


def _search_of(config: "DeskConfig") -> Searched:
    if config.embeddings is None:
        raise InputError("this desk's run file names no embeddings; add `embeddings: PLACE` to it")
    storage = Storage(config.storage)
    return open_search(config.labels_table, config.embeddings, config.bundle, storage=storage)


def _groups_of(config: "DeskConfig", items: pa.Table) -> pa.Array:
    from lib.review.groups import group_items  # noqa: PLC0415  # as above

    if config.embeddings is None:
        return pa.nulls(items.num_rows, pa.int32())
    digest, storage = _bundle_of(config).backbone_digest, Storage(config.storage)
    return group_items(items, EmbeddingStore(config.embeddings, digest, storage))


def _bundle_of(config: "DeskConfig") -> Bundle:
    storage = Storage(config.storage)
    return find_bundle(config.bundle, LabelsTable(config.labels_table, storage), storage)

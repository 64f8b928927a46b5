import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lib.errors import GateError, StoreError
from lib.runs.begin import begin_run
from lib.runs.ending import Ending
from lib.runs.heartbeat import Heartbeat
from lib.runs.notify import Notifier, NotifyConfig
from lib.runs.run import Intent, Run
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage


@dataclass
class Hook:
    """A real server that keeps what it is told."""

    url: str = ""
    answer: int = 200
    told: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(hook.answer)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    hook.url = f"http://127.0.0.1:{server.server_port}/services/secret"
    yield hook
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    intent = Intent(job="classify", fingerprint={}, run_file={})
    return begin_run(str(tmp_path), "night", intent, Storage(StorageConfig()))


def test_a_webhook_is_told_what_became_of_a_run(hook: Hook, run: Run) -> None:
    with Notifier(NotifyConfig(webhook=hook.url), Ending("classify", run), lambda _: None):
        run.write("report.html", b"")
        said = {"sentence": "published as version 3", "verdict": "9 items need you."}
        run.end({"state": "published", "version": 3} | said)

    (told,) = hook.told
    assert (told["state"], told["version"], told["run_id"]) == ("published", 3, "night")
    assert told["report"] == run.at("report.html")
    assert told["text"] == (
        "classify night: published as version 3. 9 items need you.\n"
        f"report: {run.at('report.html')}"
    )


def test_a_webhook_is_told_of_a_run_that_failed(hook: Hook, run: Run) -> None:
    config = NotifyConfig(webhook=hook.url, form="slack")
    notifier = Notifier(config, Ending("classify", run), lambda _: None)
    with pytest.raises(StoreError), notifier, Heartbeat(run):
        raise StoreError("s3://shop: no answer")

    (told,) = hook.told
    assert told.keys() == {"text"}
    assert told["text"].startswith("classify night: failed. s3://shop: no answer")


def test_a_webhook_is_told_of_a_plan_that_was_refused(hook: Hook) -> None:
    notifier = Notifier(NotifyConfig(webhook=hook.url), Ending("classify"), lambda _: None)
    with pytest.raises(GateError), notifier:
        raise GateError("the table would lose 60.0% of its rows")

    (told,) = hook.told
    assert told["text"] == (
        "a run that was not begun: refused. the table would lose 60.0% of its rows"
    )


def test_a_webhook_that_refuses_costs_a_line_without_its_address(hook: Hook, run: Run) -> None:
    said: list[str] = []
    hook.answer = 500
    with Notifier(NotifyConfig(webhook=hook.url), Ending("classify", run), said.append):
        pass

    assert said == ["notify: 127.0.0.1 answered 500, and was not told of this run"]


def test_a_webhook_that_is_not_there_costs_a_line(run: Run) -> None:
    said: list[str] = []
    nobody = NotifyConfig(webhook="http://127.0.0.1:9/x")
    with Notifier(nobody, Ending("classify", run), said.append):
        pass

    (line,) = said
    assert line.startswith("notify: 127.0.0.1 could not be told of this run: ")
    assert "Connection refused" in line

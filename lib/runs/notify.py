"""Telling a webhook how a run has ended."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field

from lib.config.config import Config
from lib.errors import GateError, ReshelveError
from lib.runs import files
from lib.runs.manifest import read_manifest
from lib.runs.run import Run
from lib.runs.state import state_of

TIMEOUT_S = 10.0


class NotifyConfig(Config):
    """Whom a run tells how it has ended."""

    webhook: str | None = Field(
        default=None, pattern=r"^https?://[^/\s]+", description="takes a POST of JSON"
    )
    form: Literal["json", "slack"] = "json"


class Notifier:
    """Tells a webhook how a run has ended when the context ends, well or not.

    Attributes:
        run: the run, once there is one.
    """

    def __init__(self, config: NotifyConfig, say: Callable[[str], None]) -> None:
        """Tell nobody where there is no webhook."""
        self._webhook, self._form, self._say = config.webhook, config.form, say
        self.run: Run | None = None

    def __enter__(self) -> Self:
        """Wait for the run to end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Tell how it stands; that it cannot be told is a line, and never the run's end."""
        if self._webhook is None or (self.run is None and error is None):
            return
        host = urlsplit(self._webhook).hostname  # the rest of the address may be a secret
        try:
            told = summary_of(self.run) if self.run else _without_run(error)
            _post(self._webhook, self._form, told)
        except urllib.error.HTTPError as refused:
            self._say(f"notify: {host} answered {refused.code}, and was not told of this run")
        except (OSError, ReshelveError) as failed:
            reason = getattr(failed, "reason", failed)
            self._say(f"notify: {host} could not be told of this run: {reason}")


def summary_of(run: Run) -> dict[str, Any]:
    """Return what is told of a run: its state, its figures, and where its report is.

    Raises:
        InputError: the run's store does not answer.
    """
    state, manifest = state_of(run), read_manifest(run)
    told = state.to_json() | {"run": run.uri, "report": None}
    if manifest:
        totals = manifest.totals
        counts = {"labelled": totals.labelled, "errors": totals.error_count}
        told |= counts | {"decisions": dict(totals.decisions)}
    if run.exists(files.REPORT):
        told["report"] = run.at(files.REPORT)
    return told


def _without_run(error: BaseException | None) -> dict[str, Any]:
    """Return what is told where no run was begun: a plan was refused, or something is missing."""
    state = "refused" if isinstance(error, GateError) else "failed"
    return {"run_id": None, "state": state, "sentence": str(error), "report": None}


def _post(webhook: str, form: str, told: dict[str, Any]) -> None:
    report = f"\nreport: {told['report']}" if told["report"] else ""
    run = f"{told['job']} {told['run_id']}" if told["run_id"] else "a run that was not begun"
    text = f"{run}: {told['state']}. {told['sentence']}{report}"
    body = {"text": text} if form == "slack" else told | {"text": text}
    request = urllib.request.Request(  # noqa: S310  # the pattern of `webhook` lets HTTP through
        webhook,
        data=json.dumps(body, ensure_ascii=False).encode(),
        headers={"Content-Type": "application/json"},
    )
    # of its own: the one that urlopen keeps goes by the proxies of its first use
    with urllib.request.build_opener().open(request, timeout=TIMEOUT_S):
        pass

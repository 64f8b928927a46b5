"""Telling a webhook how a run has ended."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from lib.config.config import Config
from lib.errors import ReshelveError
from lib.runs.ending import Ending

TIMEOUT_S = 10.0


class NotifyConfig(Config):
    """Whom a run tells how it has ended."""

    webhook: str | None = Field(default=None, description="takes a POST of JSON")
    form: Literal["json", "slack"] = "json"

    @field_validator("webhook")
    @classmethod
    def _of_http(cls, webhook: str | None) -> str | None:
        if webhook is not None and not re.match(r"https?://[^/\s]+", webhook):
            raise ValueError("should begin with https:// or http:// and a host")
        return webhook


class Notifier:
    """Tells a webhook how a run has ended when the context ends, well or not."""

    def __init__(self, config: NotifyConfig, ending: Ending, say: Callable[[str], None]) -> None:
        """Tell nobody where there is no webhook."""
        self._webhook, self._form = config.webhook, config.form
        self._ending, self._say = ending, say

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
        if self._webhook is None or (self._ending.run is None and error is None):
            return
        host = urlsplit(self._webhook).hostname  # the rest of the address may be a secret
        try:
            _post(self._webhook, self._form, self._ending.to_json(error))
        except urllib.error.HTTPError as refused:
            self._say(f"notify: {host} answered {refused.code}, and was not told of this run")
        except (OSError, ReshelveError) as failed:
            reason = getattr(failed, "reason", failed)
            self._say(f"notify: {host} could not be told of this run: {reason}")


def _post(webhook: str, form: str, told: dict[str, Any]) -> None:
    report = f"\nreport: {told['report']}" if told["report"] else ""
    run = f"{told['job']} {told['run_id']}" if told["run_id"] else "a run that was not begun"
    verdict = f". {told['verdict']}" if told.get("verdict") else ""
    state, said = told["state"], told["sentence"]
    said = said if said.startswith(state) else f"{state}. {said}"
    text = f"{run}: {said}{verdict}{report}"
    body = {"text": text} if form == "slack" else told | {"text": text}
    request = urllib.request.Request(  # noqa: S310  # `NotifyConfig` lets HTTP alone through
        webhook,
        data=json.dumps(body, ensure_ascii=False).encode(),
        headers={"Content-Type": "application/json"},
    )
    # of its own: the one that urlopen keeps goes by the proxies of its first use
    with urllib.request.build_opener().open(request, timeout=TIMEOUT_S):
        pass

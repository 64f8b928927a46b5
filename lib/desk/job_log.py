"""What a job has said: how far it is, how it ended, and what is kept of it."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import Field

from lib.config.config import Config

KEPT_LINES = 400
COUNTED = re.compile(r"([\d,]+) of ([\d,]+) items?, ")
REFUSED = 3  # the exit code of a job whose gates have refused its run
STOPPED = (130, -2)  # exit codes of a job that a person has ended


class JobRecord(Config):
    """`desk-jobs/JOB.json`: a job that a desk has started.

    Attributes:
        job_id: of the desk.
        job: its command.
        title: what it does, for a person.
        by: who has started it.
        rehearsal: it only says what it would do.
        of: what it is about.
        page: where it was started.
        begun: when.
        ended: when; None while it runs, and where the desk was killed.
        exit_code: of its process.
        told: what it says of its end.
        lines: the last that it said.
    """

    job_id: str
    job: str
    title: str
    by: str
    rehearsal: bool = False
    of: str = ""
    page: str = "/runs"
    begun: datetime
    ended: datetime | None = None
    exit_code: int | None = None
    told: dict[str, Any] = Field(default={})
    lines: tuple[str, ...] = ()

    @property
    def went_well(self) -> bool:
        """Whether it has done what it was to do."""
        return self.exit_code == 0

    @property
    def sentence(self) -> str:
        """How it ended, for a person."""
        if self.exit_code is None:
            return "The desk ended while it ran, so how it ended is not known; start it again."
        if self.exit_code in STOPPED:
            return "Stopped by a person; the same button goes on where it was."
        if self.exit_code == REFUSED:
            return "Its run shows which checks have failed, and lets you publish it all the same."
        said = self.told.get("error") or self.told.get("sentence")
        return str(said) if said else (self.lines[-1] if self.lines else "It said nothing.")

    @property
    def run_id(self) -> str | None:
        """Its run, where it has one."""
        found = self.told.get("run_id")
        return str(found) if found else None


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes:
        sentence: for a person.
        done: items that are done, or None.
        items: of how many.
    """

    sentence: str
    done: int | None = None
    items: int | None = None


def progress_of(lines: Sequence[str]) -> Progress:
    """Read from its lines how far a job is."""
    said = [line for line in lines if line.strip()]
    if not said:
        return Progress("beginning")
    if found := COUNTED.match(said[-1]):
        done, items = (int(number.replace(",", "")) for number in found.groups())
        return Progress(said[-1], done, items)
    return Progress(said[-1])


def told_by(lines: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the object that a job ends with, and the lines without it."""
    for place in range(len(lines) - 1, max(len(lines) - 5, -1), -1):
        try:
            found = json.loads(lines[place])
        except ValueError:
            continue
        if isinstance(found, dict):
            return found, [*lines[:place], *lines[place + 1 :]]
    return {}, list(lines)

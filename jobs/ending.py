"""How a job ends, for schedulers: the last line of its output, as one JSON object."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.command import Say, reporting

if TYPE_CHECKING:
    from lib.runs.ending import Ending

EndAsJson = Annotated[
    bool, typer.Option("--json", help="End with one line of JSON, for schedulers.")
]


@contextmanager
def ending(job: str, *, as_json: bool) -> Iterator[tuple[Say, "Ending"]]:
    """As `reporting`; yield also what learns how the job ends, which is told as JSON if asked."""
    from lib.runs.ending import Ending

    end = Ending(job)

    def tell(error: BaseException | None) -> None:
        if as_json:
            print(json.dumps(end.to_json(error)), flush=True)

    with reporting(tell) as say:
        yield say, end

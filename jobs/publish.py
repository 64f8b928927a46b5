"""Publish a finished run, or roll the labels back: `python -m jobs.publish RUN`."""

from typing import Annotated

import typer

from jobs.command import run
from jobs.ending import EndAsJson, ending
from jobs.options import RunFolder, StorageOf


def main(
    folder: RunFolder,
    run_file: StorageOf = None,
    rollback: Annotated[
        int | None, typer.Option(help="Bring this version of RUN's table back.", metavar="VERSION")
    ] = None,
    accept: Annotated[
        str | None,
        typer.Option(help="Publish RUN although these gates refused it.", metavar="GATE[,GATE]"),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(
            help="Why; it is kept in the report and in the table's history.", metavar="TEXT"
        ),
    ] = None,
    *,
    as_json: EndAsJson = False,
) -> None:
    """Publish a finished run, or bring an earlier version back."""
    with ending("publish", as_json=as_json) as (say, end):
        from pipelines.publish import accepting, publish_later, roll_back

        accepted = accepting(accept, reason)
        if rollback is None:
            publish_later(folder, run_file, say, accepted, end)
        else:
            roll_back(folder, run_file, rollback, say, end)


if __name__ == "__main__":
    run(main)

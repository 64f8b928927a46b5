"""Publish a finished run, or roll the labels back: `python -m jobs.publish RUN`."""

from pathlib import Path
from typing import Annotated

import typer

from jobs.command import reporting, run


def main(
    folder: Annotated[str, typer.Argument(help="The folder of the run.", metavar="RUN")],
    run_file: Annotated[
        Path | None, typer.Option(help="A run file whose 'storage' is used.", metavar="RUN.yaml")
    ] = None,
    rollback: Annotated[
        int | None, typer.Option(help="Bring this version of RUN's table back.", metavar="VERSION")
    ] = None,
) -> None:
    """Publish a finished run that is not published yet, or bring an earlier version back."""
    with reporting() as say:
        from pipelines.publish import publish_later, roll_back

        if rollback is None:
            publish_later(folder, run_file, say)
        else:
            roll_back(folder, run_file, rollback, say)


if __name__ == "__main__":
    run(main)

"""Remove what runs have left behind: `python -m jobs.clean OUTPUT`."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from jobs.command import reporting, run


def main(
    output: Annotated[str, typer.Argument(help="The folder of run folders.")],
    run_file: Annotated[
        Path | None, typer.Option(help="A run file whose 'storage' is used.", metavar="RUN.yaml")
    ] = None,
    older_than_days: Annotated[
        float, typer.Option(min=1, help="Younger runs are not touched.")
    ] = 7,
    *,
    delete: Annotated[
        bool, typer.Option("--delete", help="Do it; without, only say what would go.")
    ] = False,
) -> None:
    """Say, or remove, what unfinished and superseded runs have left."""
    with reporting() as say:
        from pipelines.clean import clean

        clean(output, run_file, timedelta(days=older_than_days), delete=delete, say=say)


if __name__ == "__main__":
    run(main)

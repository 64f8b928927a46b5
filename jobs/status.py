"""Say how a run stands: `python -m jobs.status RUN`."""

from pathlib import Path
from typing import Annotated

import typer

from jobs.command import reporting, run


def main(
    folder: Annotated[str, typer.Argument(help="The folder of the run.", metavar="RUN")],
    run_file: Annotated[
        Path | None, typer.Option(help="A run file whose 'storage' is used.", metavar="RUN.yaml")
    ] = None,
) -> None:
    """Say how a run stands, from its folder alone."""
    with reporting() as say:
        from pipelines.status import status

        status(folder, run_file, say)


if __name__ == "__main__":
    run(main)

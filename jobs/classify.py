"""Classify a catalog: `python -m jobs.classify RUN.yaml`."""

from typing import Annotated

import typer

from jobs.command import RunFile, Settings, reporting, run
from lib.config import load_run_file


def main(
    run_file: RunFile,
    settings: Settings = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and how long it takes.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take only the first N items, by item id.")
    ] = None,
) -> None:
    """Classify a catalog, write its labels as Parquet, and publish them."""
    with reporting() as say:
        from pipelines.classify import ClassifyRun, classify
        from pipelines.classify import dry_run as estimate

        config = load_run_file(ClassifyRun, run_file, settings or ())
        (estimate if dry_run else classify)(config, limit, say)


if __name__ == "__main__":
    run(main)

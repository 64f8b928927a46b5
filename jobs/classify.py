"""Classify a catalog: `python -m jobs.classify RUN.yaml`."""

from contextlib import nullcontext
from typing import Annotated

import typer

from jobs.command import run
from jobs.ending import EndAsJson, ending
from jobs.options import DryRun, Publish, RunFile, Settings
from lib.config.config import load_run_file
from lib.inference.ahead import started_ahead


def main(
    run_file: RunFile,
    settings: Settings = None,
    *,
    dry_run: DryRun = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Take only the first N items, by item id.", metavar="N"),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Classify unchanged items again, too.")
    ] = False,
    publish: Publish = True,
    as_json: EndAsJson = False,
) -> None:
    """Classify what is new or changed in a catalog, and publish it."""
    with (
        ending("classify", as_json=as_json) as (say, end),
        nullcontext() if dry_run else started_ahead() as ahead,
    ):
        from pipelines.classify import ClassifyRun, Options, classify

        config = load_run_file(ClassifyRun, run_file, settings or ())
        options = Options(limit=limit, full=full, publish=publish)
        if dry_run:
            from pipelines.classify_dry_run import estimate

            estimate(config, options, say, end)
        else:
            classify(config, options, say, end, ahead)


if __name__ == "__main__":
    run(main)

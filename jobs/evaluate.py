"""Evaluate a bundle or a labels table: `python -m jobs.evaluate RUN.yaml`."""

from typing import Annotated

import typer

from jobs.command import run
from jobs.ending import EndAsJson, ending
from jobs.options import RunFile, Settings
from lib.config.config import load_run_file


def main(
    run_file: RunFile,
    settings: Settings = None,
    *,
    against: Annotated[
        str | None,
        typer.Option(help="Compare with another bundle, on the same items.", metavar="BUNDLE"),
    ] = None,
    as_json: EndAsJson = False,
) -> None:
    """Measure a bundle or a labels table on labelled items."""
    with ending("evaluate", as_json=as_json) as (say, end):
        from pipelines.evaluate import evaluate
        from pipelines.evaluate_inputs import EvaluateRun

        config = load_run_file(EvaluateRun, run_file, settings or ())
        if against is not None:
            config = config.model_copy(update={"against": against})
        evaluate(config, say, end)


if __name__ == "__main__":
    run(main)

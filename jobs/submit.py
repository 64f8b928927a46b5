"""Run a job on a Ray cluster: `python -m jobs.submit JOB RUN.yaml [-- the job's options]`."""

import sys
from typing import Annotated

import typer

from jobs.command import RunFile, Settings, reporting, run


def main(
    job: Annotated[str, typer.Argument(help="classify, train, ...", metavar="JOB")],
    run_file: RunFile,
    options: Annotated[
        list[str] | None, typer.Argument(help="After '--': the job's own options.", metavar="...")
    ] = None,
    settings: Settings = None,
    *,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Follow the log; end with the job's code.")
    ] = True,
    submission_id: Annotated[
        str | None, typer.Option(help="The job's name on the cluster; else made of what it runs.")
    ] = None,
) -> None:
    """Run a job on the cluster whose job server RAY_ADDRESS names; the same command resumes it."""
    with reporting() as say:
        from pipelines.submit import Submission, submit

        asked = Submission(
            job=job,
            run_file=run_file,
            settings=tuple(settings or ()),
            options=tuple(options or ()),
            submission_id=submission_id,
            wait=wait,
        )
        code = submit(asked, say, lambda text: print(text, end="", file=sys.stdout, flush=True))
    raise typer.Exit(code)


if __name__ == "__main__":
    run(main)

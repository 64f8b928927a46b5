"""Run a job on a Ray cluster: `python -m jobs.submit JOB RUN.yaml [-- the job's options]`."""

import sys
from typing import Annotated

import typer

from jobs.command import reporting, run
from jobs.options import RunFile, Settings
from jobs.submittable import COMMANDS, read_run_file


def main(
    job: Annotated[str, typer.Argument(help="train, classify, backfill, ...", metavar="JOB")],
    run_file: RunFile,
    options: Annotated[
        list[str] | None, typer.Argument(help="After '--': the job's own options.", metavar="...")
    ] = None,
    settings: Settings = None,
    *,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Follow the log; end with the job's exit code.")
    ] = True,
    submission_id: Annotated[str | None, typer.Option(help="Its name there.", metavar="ID")] = None,
) -> None:
    """Run a job on a Ray cluster; the same command resumes it."""
    with reporting() as say:
        text = read_run_file(job, run_file, settings or [], options or [])
        from lib.cluster.submission import Submission, submit

        asked = Submission(
            job=job,
            run_file=text,
            names_run_file=job in COMMANDS,
            options=tuple(options or ()),
            submission_id=submission_id,
            wait=wait,
        )
        code = submit(asked, say, lambda text: print(text, end="", file=sys.stdout, flush=True))
    raise typer.Exit(code)


if __name__ == "__main__":
    run(main)

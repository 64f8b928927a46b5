"""Run a job on a Ray cluster: `python -m jobs.submit JOB RUN.yaml [-- the job's options]`."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from jobs.command import reporting, run
from jobs.options import RunFile, Settings
from lib.config.config import load_run_file, merge_run_file
from lib.errors import InputError
from lib.storage.uris import protocol_of

# the run file's model of each job that can be submitted; some take seconds to import
RUN_FILES = {
    "backfill": ("pipelines.backfill_inputs", "BackfillRun"),
    "classify": ("pipelines.classify", "ClassifyRun"),
    "embed": ("pipelines.embed", "EmbedRun"),
    "evaluate": ("pipelines.evaluate_inputs", "EvaluateRun"),
    "train": ("pipelines.train_config", "TrainRun"),
}
WRITTEN = ("output", "labels_table", "embeddings")  # where jobs write to


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
            options=tuple(options or ()),
            submission_id=submission_id,
            wait=wait,
        )
        code = submit(asked, say, lambda text: print(text, end="", file=sys.stdout, flush=True))
    raise typer.Exit(code)


def read_run_file(job: str, run_file: Path, settings: list[str], options: list[str]) -> str:
    """Return the text of a run file as it is shipped, once it is known to be valid.

    Raises:
        InputError: there is no such job, the run file is not valid, or its results would be lost.
    """
    if job not in RUN_FILES:
        raise InputError(f"'{job}' cannot be submitted; expected one of: {', '.join(RUN_FILES)}")
    if any(option.startswith("--set") for option in options):
        # what is set may be a secret, and a job's command is shown to all who see the cluster
        raise InputError("--set goes before the '--', so that it travels inside the run file")
    module, model = RUN_FILES[job]
    config = load_run_file(getattr(import_module(module), model), run_file, settings)
    for key in WRITTEN:
        place = getattr(config, key, None) or "/"  # some jobs write no such thing
        if protocol_of(place) == "file" and not Path(place).is_absolute():
            raise InputError(
                f"{run_file}: '{key}' is '{place}', a folder that a cluster's nodes do not "
                "share; give a store, as s3://bucket/runs, or an absolute path that all nodes have"
            )
    return merge_run_file(run_file, settings)


if __name__ == "__main__":
    run(main)

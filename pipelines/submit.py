"""Submitting, step by step: check the run file and the cluster, ship the code, follow the log."""

import hashlib
import shlex
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from lib.cluster.code_package import RUN_FILE, code_root, pack
from lib.cluster.job_server import JobServer
from lib.config.config import Config, load_run_file, merge_run_file
from lib.errors import InputError
from lib.storage.uris import protocol_of

# the run file's model of each job that can be submitted; some take seconds to import
RUN_FILES = {
    "backfill": ("pipelines.backfill", "BackfillRun"),
    "classify": ("pipelines.classify", "ClassifyRun"),
    "embed": ("pipelines.embed", "EmbedRun"),
    "train": ("pipelines.train", "TrainRun"),
}
WRITTEN = ("output", "labels_table", "embeddings")  # where jobs write to


class Submission(Config):
    """What the command line asks for."""

    job: str
    run_file: Path
    settings: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    submission_id: str | None = None
    wait: bool = True


def submit(asked: Submission, say: Callable[[str], None], write: Callable[[str], None]) -> int:
    """Run a job on the cluster that RAY_ADDRESS names, and follow it.

    A Ray job runs once. The same command given again follows the job where it still runs, and
    submits another where it has ended, which takes the run up.

    Args:
        asked: of the command line.
        say: takes each line of our own.
        write: takes the job's log, in pieces.

    Returns:
        The job's own exit code; 0 where it is not waited for.

    Raises:
        InputError: something given cannot be used; nothing was shipped.
        ReshelveError: the cluster does not answer, or the job was stopped from outside.
    """
    text = read_run_file(asked)
    server = JobServer.connect()
    server.check_versions()
    entrypoint = shlex.join(["python", "-m", f"jobs.{asked.job}", RUN_FILE, *asked.options])
    name = asked.submission_id or name_of(asked.job, f"{entrypoint}\n{text}")
    if running := server.find_running(name):
        say(f"{running} is under way: following it")
        return server.follow(running, write) if asked.wait else 0
    with tempfile.TemporaryDirectory() as folder:
        size_mb = pack(code_root(), text, Path(folder))
        say(f"shipping {size_mb:.1f} MB of code to {server.address}")
        job_id = server.submit(name, entrypoint, Path(folder))
    say(f"submitted as {job_id}")
    return server.follow(job_id, write) if asked.wait else 0


def read_run_file(asked: Submission) -> str:
    """Give the text of the run file as it is shipped, once it is known to be valid.

    Raises:
        InputError: there is no such job, the run file is not valid, or its results would be lost.
    """
    if asked.job not in RUN_FILES:
        known = ", ".join(sorted(RUN_FILES))
        raise InputError(f"'{asked.job}' is no job that can be submitted; expected one of: {known}")
    if any(option.startswith("--set") for option in asked.options):
        # what is set may be a secret, and a job's command is shown to all who see the cluster
        raise InputError("--set goes before the '--', so that it travels inside the run file")
    module, model = RUN_FILES[asked.job]
    config = load_run_file(getattr(import_module(module), model), asked.run_file, asked.settings)
    for key in WRITTEN:
        place = getattr(config, key, None) or "/"  # some jobs write no such thing
        if protocol_of(place) == "file" and not Path(place).is_absolute():
            raise InputError(
                f"{asked.run_file}: '{key}' is '{place}', a folder that a cluster's nodes do not "
                "share; give a store, as s3://bucket/runs, or an absolute path that all nodes have"
            )
    return merge_run_file(asked.run_file, asked.settings)


def name_of(job: str, command: str) -> str:
    """Give the submission a name that follows from what is run: the same command has the same."""
    return f"{job}-{hashlib.sha256(command.encode()).hexdigest()[:12]}"

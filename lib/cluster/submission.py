"""Submitting, step by step: find the cluster, ship the code, follow the log."""

import shlex
import tempfile
from collections.abc import Callable
from pathlib import Path

from lib.cluster.code_package import RUN_FILE, code_root, pack
from lib.cluster.job_server import JobServer
from lib.config.config import Config
from lib.hashing import digest_bytes


class Submission(Config):
    """A job, the text of its run file, and what the command line says beside it.

    Attributes:
        names_run_file: it takes the run file as its option `--run-file`.
    """

    job: str
    run_file: str
    options: tuple[str, ...] = ()
    names_run_file: bool = False
    submission_id: str | None = None
    wait: bool = True


def submit(asked: Submission, say: Callable[[str], None], write: Callable[[str], None]) -> int:
    """Run a job on the cluster that RAY_ADDRESS names, and follow it.

    A Ray job runs once. The same command given again follows the job where it still runs, and
    submits another where it has ended, which resumes the run.

    Args:
        asked: what is run.
        say: takes each line of our own.
        write: takes the job's log, in pieces.

    Returns:
        The job's own exit code; 0 where it is not waited for.

    Raises:
        InputError: something given cannot be used; nothing was shipped.
        ReshelveError: the cluster does not answer, or the job was stopped from outside.
    """
    server = JobServer.connect()
    server.check_versions()
    run_file = ["--run-file"] * asked.names_run_file + [RUN_FILE]
    entrypoint = shlex.join(["python", "-m", f"jobs.{asked.job}", *run_file, *asked.options])
    # a name that follows from what is run: the same command has the same
    command = f"{entrypoint}\n{asked.run_file}".encode()
    name = asked.submission_id or f"{asked.job}-{digest_bytes(command)[:12]}"
    if running := server.find_running(name):
        say(f"{running} is under way: following it")
        return server.follow(running, write) if asked.wait else 0
    with tempfile.TemporaryDirectory() as folder:
        size_mb = pack(code_root(), asked.run_file, Path(folder))
        say(f"shipping {size_mb:.1f} MB of code to {server.address}")
        job_id = server.submit(name, entrypoint, Path(folder))
    say(f"submitted as {job_id}")
    return server.follow(job_id, write) if asked.wait else 0

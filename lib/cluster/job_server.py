"""The Ray boundary of submitting: a cluster's job server, and its answers as plain sentences."""

import asyncio
import logging
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp
import ray
from ray.exceptions import AuthenticationError
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from lib.cluster.connection import knock
from lib.errors import InputError, ReshelveError

ENDED = {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED}
OUR_CODES = range(1, 5)  # of lib.errors
KILLED = 128  # beyond it, a shell tells the signal that has ended its command
LOOK_S = 1.0
PATIENCE_S = 60.0  # for a job server that does not answer while a job is followed


class Log:
    """What has been passed on of a job's log."""

    def __init__(self, write: Callable[[str], None]) -> None:
        """Begin at the log's beginning."""
        self._write, self._written = write, 0

    async def follow(self, client: JobSubmissionClient, job_id: str) -> None:
        """Pass on what is new, until the job ends or the connection does."""
        seen = 0  # the server always begins at the beginning
        async for piece in client.tail_job_logs(job_id):
            seen += len(piece)
            if (new := seen - self._written) > 0:
                self._write(piece[-new:])
                self._written = seen

    def finish(self, whole: str) -> None:
        """Pass on what the connection has left out of the whole log of a job that has ended."""
        self._write(whole[self._written :])
        self._written = max(self._written, len(whole))


class JobServer:
    """A connection to the job server of a cluster."""

    def __init__(self, client: JobSubmissionClient) -> None:
        """Take a client that has been answered."""
        self._client = client
        self.address = client.get_address()

    @classmethod
    def connect(cls) -> Self:
        """Connect to the server that RAY_ADDRESS names, as http://127.0.0.1:8265.

        Raises:
            InputError: there is no address, or the token is missing or wrong.
            ReshelveError: nothing answers there.
        """
        address = os.environ.get("RAY_API_SERVER_ADDRESS") or os.environ.get("RAY_ADDRESS")
        if not address:
            raise InputError(
                "RAY_ADDRESS is not set; set it to the cluster's job server, as "
                "http://127.0.0.1:8265 ('ray dashboard cluster.yaml' makes it answer there)"
            )
        for name in ("ray.dashboard", "ray._private"):
            logging.getLogger(name).setLevel(logging.ERROR)  # we say ourselves what is shipped
        for name in ("ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk"):
            logging.getLogger(name).setLevel(logging.ERROR)  # they set a level of their own
        knock(address)
        with client_errors(address):
            return cls(JobSubmissionClient(address))

    def check_versions(self) -> None:
        """Compare this machine's Ray and Python with the cluster's, since code travels as pickles.

        Raises:
            InputError: they differ; names both.
        """
        found = self._get("/api/v0/cluster_metadata")["data"]
        for what, here, there in (
            ("Ray", ray.__version__, found["rayVersion"]),
            ("Python", platform.python_version(), found["pythonVersion"]),
        ):
            # of Python, pickles and wheels depend on the minor version alone
            parts = 2 if what == "Python" else None
            if here.split(".")[:parts] != there.split(".")[:parts]:
                raise InputError(
                    f"{self.address}: the cluster has {what} {there}, this machine {here}; use the "
                    "same on both, as requirements.lock pins it"
                )

    def find_running(self, name: str) -> str | None:
        """Return the submission of that name which has not ended, or None."""
        for each, job in self._submissions(name).items():
            if job.status not in ENDED:
                return each
        return None

    def submit(self, name: str, entrypoint: str, folder: Path) -> str:
        """Submit a job that runs in a copy of `folder`; return its id.

        An id is used once on a cluster: the second submission is `name-2`, and so on.
        """
        earlier = len(self._submissions(name))
        job_id = f"{name}-{earlier + 1}" if earlier else name
        with client_errors(self.address):
            self._client.submit_job(
                entrypoint=entrypoint,
                submission_id=job_id,
                runtime_env={"working_dir": str(folder)},
            )
        return job_id

    def follow(self, job_id: str, write: Callable[[str], None]) -> int:
        """Pass the job's log on until it ends; return its exit code.

        Raises:
            ReshelveError: the job was stopped, killed or never begun, or the server is gone.
        """
        log = Log(write)
        answered = time.monotonic()
        while True:
            try:
                job = self._details(job_id)
                # the server would wait for ever for the log of a job that never begins
                if job.status != JobStatus.PENDING and job.driver_agent_http_address:
                    asyncio.run(log.follow(self._client, job_id))
                    job = self._details(job_id)
                answered = time.monotonic()
            except (OSError, RuntimeError, aiohttp.ClientError) as error:
                if time.monotonic() - answered > PATIENCE_S:
                    raise ReshelveError(
                        f"{self.address}: the cluster no longer answers; {job_id} may still run "
                        "there: the same command follows it, or resumes the run"
                    ) from error
            else:
                if job.status in ENDED:
                    self._finish(log, job_id, job)
                    return exit_code(job_id, job)
            time.sleep(LOOK_S)

    def _finish(self, log: Log, job_id: str, job: JobDetails) -> None:
        if job.driver_agent_http_address:  # without one it has never begun, and has no log
            with client_errors(self.address):
                log.finish(self._client.get_job_logs(job_id))

    def _submissions(self, name: str) -> dict[str, JobDetails]:
        """Return the submissions of a name, `name`, `name-2` and so on, in their order."""
        with client_errors(self.address):
            jobs = {job.submission_id: job for job in self._client.list_jobs()}
        found: dict[str, JobDetails] = {}
        while (each := f"{name}-{len(found) + 1}" if found else name) in jobs:
            found[each] = jobs[each]
        return found

    def _details(self, job_id: str) -> JobDetails:
        return self._client.get_job_info(job_id)

    def _get(self, path: str) -> Any:  # noqa: ANN401  # whatever JSON holds
        with client_errors(self.address):
            # of Ray's own client; it knows no public call for what is not about jobs
            response = self._client._do_request("GET", path)  # noqa: SLF001
            response.raise_for_status()
            return response.json()


def exit_code(job_id: str, job: JobDetails) -> int:
    """Return the exit code of a job that has ended by itself.

    Raises:
        ReshelveError: it has not: it was stopped or killed, or has never begun.
    """
    if job.status == JobStatus.SUCCEEDED:
        return 0
    code = job.driver_exit_code
    if code is not None and code in OUR_CODES:
        return code
    last = (job.message or "Ray does not say why").strip().splitlines()[-1]
    if job.status == JobStatus.STOPPED:
        why = "was stopped on the cluster"
    elif code is None:
        why = f"could not begin: {last}"
    elif code < 0 or code > KILLED:
        why = f"was killed on the cluster (signal {-code if code < 0 else code - KILLED})"
    else:
        why = f"ended with code {code}, which is none of Reshelve's: {last}"
    raise ReshelveError(f"{job_id} {why}; the same command resumes the run")


@contextmanager
def client_errors(address: str) -> Iterator[None]:
    """Turn the client's errors into one sentence each."""
    try:
        yield
    except AuthenticationError as error:
        raise InputError(
            f"{address}: the cluster refuses this token; set RAY_AUTH_MODE=token and, to its own "
            "token, RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"
        ) from error
    except (OSError, RuntimeError) as error:  # what requests raises is an OSError
        first = str(error).strip().splitlines()[0]
        raise ReshelveError(
            f"{address}: no job server of a Ray cluster answers: {first}"
        ) from error

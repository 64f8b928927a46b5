"""Starting jobs as processes of their own, one at a time, and keeping what they say."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lib.config.config import load_json
from lib.desk.job_log import KEPT_LINES, JobRecord, Progress, progress_of, told_by
from lib.desk.job_plans import JobPlan
from lib.errors import InputError, ReshelveError
from lib.storage.storage import Storage
from lib.storage.uris import absolute, join

FOLDER = "desk-jobs"  # among the runs
STOP_S = 45.0  # a job that is stopped ends by itself within 30 s
TAIL_BYTES = 64_000
REHEARSED_FOR = timedelta(hours=12)
LOOKED_AT = 20  # jobs, for a rehearsal


class JobRunner:
    """Runs a desk's jobs. What each was and said is kept among the runs, and outlives the desk."""

    def __init__(self, runs: str, storage: Storage, folder: Path) -> None:
        """Start nothing yet.

        Args:
            runs: the folder of run folders.
            storage: how to reach it.
            folder: a local one, for the lines of the job that runs.
        """
        self._place, self._storage = join(absolute(runs), FOLDER), storage
        self._folder = folder
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._record: JobRecord | None = None
        self._waits: threading.Thread | None = None
        self._ended: dict[str, JobRecord] = {}  # records that do not change any more

    def start(self, plan: JobPlan, by: str) -> JobRecord:
        """Start a job.

        Args:
            plan: it.
            by: who does.

        Raises:
            InputError: another one runs.
        """
        with self._lock:
            if self._record is not None:
                raise InputError(
                    f"'{self._record.title}' is still running; wait for its end, or stop it"
                )
            now = datetime.now(UTC)
            record = JobRecord(
                job_id=f"{now.strftime('%Y%m%d-%H%M%S')}-{plan.job}-{secrets.token_hex(2)}",
                job=plan.job,
                title=plan.title,
                by=by,
                rehearsal=plan.rehearsal,
                of=plan.of,
                page=plan.page,
                begun=now,
            )
            self._keep(record)
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._log_of(record.job_id).open("wb") as log:
                process = subprocess.Popen(  # noqa: S603  # our own jobs; no shell
                    [sys.executable, "-m", f"jobs.{plan.job}", *plan.arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # a Ctrl-C for the desk reaches it once, from here
                    start_new_session=True,
                )
            self._process, self._record = process, record
            self._waits = threading.Thread(target=self._wait, args=(process, record), name="job")
            self._waits.start()
        return record

    @property
    def running(self) -> JobRecord | None:
        """The job that runs, or None."""
        return self._record

    def progress(self, job_id: str) -> tuple[Progress, list[str]]:
        """Return how far the running job is, and the last lines that it has said."""
        lines = self._lines(job_id)
        return progress_of(lines), lines

    def stop(self) -> None:
        """Let the job end where it is, as Ctrl-C does; the same command resumes it."""
        with self._lock:
            process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        late = threading.Timer(STOP_S, _kill, (process,))
        late.daemon = True
        late.start()

    def find(self, job_id: str) -> JobRecord | None:
        """Return a job by its id, or None."""
        running = self._record
        if running is not None and running.job_id == job_id:
            return running
        if job_id not in self._ids():
            return None
        return self._read(job_id)

    def last(self, most: int) -> list[JobRecord]:
        """Return the last jobs that have ended, the newest first."""
        running = self._record
        ids = [each for each in self._ids() if running is None or each != running.job_id]
        return [self._read(each) for each in sorted(ids, reverse=True)[:most]]

    def tried(self, job: str, of: str) -> JobRecord | None:
        """Return the newest rehearsal of a job that went well today, or None.

        Args:
            job: its command.
            of: what it is about.
        """
        since = datetime.now(UTC) - REHEARSED_FOR
        for each in self.last(LOOKED_AT):
            if each.rehearsal and (each.job, each.of) == (job, of) and each.begun > since:
                return each if each.went_well else None
        return None

    def newest(self, job: str, of: str) -> JobRecord | None:
        """Return the newest of the last jobs of this kind that went well, or None."""
        found = (each for each in self.last(LOOKED_AT) if (each.job, each.of) == (job, of))
        return next((each for each in found if each.went_well), None)

    def close(self) -> None:
        """Stop the job that runs, and wait until it has ended."""
        self.stop()
        if self._waits is not None:
            self._waits.join()

    def _wait(self, process: subprocess.Popen[bytes], record: JobRecord) -> None:
        exit_code = process.wait()
        told, lines = told_by(self._lines(record.job_id))
        ended = {
            "ended": datetime.now(UTC),
            "exit_code": exit_code,
            "told": told,
            "lines": tuple(lines),
        }
        try:
            # a store that does not answer must not keep the desk from its next job
            with contextlib.suppress(ReshelveError, OSError):
                self._keep(record.model_copy(update=ended))
        finally:
            with self._lock:
                self._process = self._record = None

    def _keep(self, record: JobRecord) -> None:
        name = join(self._place, f"{record.job_id}.json")
        self._storage.write(name, record.model_dump_json(indent=2).encode())

    def _read(self, job_id: str) -> JobRecord:
        if job_id in self._ended:
            return self._ended[job_id]
        name = join(self._place, f"{job_id}.json")
        found = load_json(JobRecord, self._storage.read(name), name, "this record of a job")
        if found.ended is not None:
            self._ended[job_id] = found
        return found

    def _ids(self) -> list[str]:
        names = self._storage.names(self._place)
        return [each.removesuffix(".json") for each in names if each.endswith(".json")]

    def _log_of(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.log"

    def _lines(self, job_id: str) -> list[str]:
        try:
            with self._log_of(job_id).open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
                text = log.read().decode(errors="replace")
        except FileNotFoundError:
            return []
        return text.splitlines()[-KEPT_LINES:]


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a job that did not end by itself, and what it has started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

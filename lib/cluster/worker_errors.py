"""What a worker of Ray raised, as the sentence that it was raised with."""

from collections.abc import Iterator
from contextlib import contextmanager

from ray.data.exceptions import SystemException
from ray.exceptions import NodeDiedError, RayActorError, RayError, WorkerCrashedError

from lib.errors import ReshelveError, worker_failed

DIED = (
    "a process of the job on Ray has died; most often memory has run out, or somebody has stopped "
    "it; the same command resumes the run"
)


@contextmanager
def worker_errors() -> Iterator[None]:
    """Turn a worker's error into one sentence; what it found unusable stays an `InputError`."""
    try:
        yield
    except RayError as error:
        cause: BaseException = error
        while (deeper := getattr(cause, "cause", None) or cause.__cause__) is not None:
            if isinstance(deeper, SystemException):
                break  # Ray Data hangs this empty mark on whatever a worker died of
            cause = deeper
        said = str(cause).partition("\nFailed to ")[0]  # Ray Data adds how often it has tried
        if isinstance(cause, ReshelveError):
            cause.args = (said,)
            raise cause from error
        started = not (isinstance(cause, RayActorError) and cause.actor_init_failed)
        if started and isinstance(cause, RayActorError | WorkerCrashedError | NodeDiedError):
            raise ReshelveError(DIED) from error
        raise worker_failed(cause, said) from error

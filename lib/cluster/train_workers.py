"""The Ray boundary of training: a group of DDP workers, restarted when one is lost."""

import logging
import tempfile
import threading
from collections.abc import Callable
from queue import Empty
from typing import Any

import ray
from ray.train import FailureConfig, LoggingConfig, RunConfig, ScalingConfig, TrainingFailedError
from ray.train.torch import TorchTrainer, get_device
from ray.util.queue import Queue
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from lib.cluster.connection import check_fits
from lib.cluster.worker_errors import DIED, worker_errors
from lib.cluster.workers_config import WorkersConfig
from lib.errors import InputError, ReshelveError
from lib.evaluation.held_out import Scored
from lib.training.budget import OverBudgetError
from lib.training.diverged import DivergedError
from lib.training.history import EpochRecord
from lib.training.job import TrainingJob
from lib.training.trainer import Trainer

# "4" or "2..8"
# how often an elastic group looks for more workers: to grow costs the epoch under way
GROW_EVERY_S = 300.0


def train_on_ray(
    job: TrainingJob,
    workers: WorkersConfig,
    on_epoch: Callable[[EpochRecord], None],
    say: Callable[[str], None],
) -> Scored:
    """Train on the cluster.

    Args:
        job: what the workers do; its run's folder holds the items and takes the checkpoints.
        workers: how many, and what each may use.
        on_epoch: called in this process after each epoch.
        say: called in this process with what the workers do meanwhile.

    Returns:
        The held-out items under the trained model.

    Raises:
        InputError: the images cannot be trained on.
        OverBudgetError: there is no time for a training that is of use.
        ReshelveError: the training failed, or lost workers more often than `max_failures`.
    """
    least = workers.least
    check_fits(least * workers.cpus, least * workers.gpus, "workers")
    # beside this process, which is lost with it anyway: on a worker's node it could go alone
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    epochs = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
    with tempfile.TemporaryDirectory() as folder:
        trainer = TorchTrainer(
            _work,  # type: ignore[arg-type]  # Ray's own annotation forgets the returned value
            train_loop_config={"job": job, "epochs": epochs},
            scaling_config=ScalingConfig(  # type: ignore[call-arg]  # the checker sees an older class
                num_workers=(least, workers.most) if workers.is_elastic else least,  # type: ignore[arg-type]  # as above
                elastic_resize_monitor_interval_s=GROW_EVERY_S,
                use_gpu=workers.gpus > 0,
                resources_per_worker={"CPU": workers.cpus, "GPU": workers.gpus},
            ),
            run_config=RunConfig(  # type: ignore[call-arg]  # the checker sees an older class
                name=job.run.run_id,
                # Ray's own notes on the group; all that must outlast it is in the run folder
                storage_path=folder,
                failure_config=FailureConfig(max_failures=workers.max_failures),
                logging_config=LoggingConfig(log_level="ERROR"),
            ),
        )
        outcome = _fit_while_listening(trainer, epochs, on_epoch, say)
    if isinstance(outcome, ReshelveError):
        raise outcome
    assert isinstance(outcome, Scored)
    return outcome


def _work(shared: dict[str, Any]) -> Scored | ReshelveError:
    """Do one worker's part, in a process group that Ray has joined it to."""
    try:
        trainer = Trainer(shared["job"], get_device())
        trainer.fit(shared["epochs"].put, shared["epochs"].put)
        return trainer.score()
    except (InputError, OverBudgetError, DivergedError) as error:
        # what another try cannot mend must not be tried again
        return error


def _fit_while_listening(
    trainer: TorchTrainer,
    told: Queue,
    on_epoch: Callable[[EpochRecord], None],
    say: Callable[[str], None],
) -> Any:  # noqa: ANN401  # whatever the workers return
    """Run the trainer on a thread, and pass on what its workers tell of meanwhile."""
    outcome: list[Any] = []

    def fit() -> None:
        try:
            result = trainer.fit()
            outcome.append(result.return_value)  # type: ignore[attr-defined]  # as above
        # a job that is stopped takes the actors from this thread, which must not say so; Ray may
        # also leave it by SystemExit
        except BaseException as error:  # noqa: BLE001  # raised below, where somebody asks for it
            outcome.append(error)

    logging.getLogger("ray.train").setLevel(logging.ERROR)
    thread = threading.Thread(target=fit, daemon=True)
    thread.start()
    while thread.is_alive() or not told.empty():
        try:
            each = told.get(timeout=0.5)
        except Empty:
            continue
        if isinstance(each, EpochRecord):
            on_epoch(each)
        else:
            say(each)
    thread.join()
    if isinstance(error := outcome[0], TrainingFailedError):
        raise ReshelveError(sentence_of(error)) from error
    if isinstance(error, SystemExit):
        raise ReshelveError(DIED) from error
    if isinstance(error, BaseException) and not isinstance(error, ReshelveError):
        with worker_errors():
            raise error
    return error


def sentence_of(error: TrainingFailedError) -> str:
    """Say what a training failed of: what its first worker raised, where one did."""
    cause = next(iter(getattr(error, "worker_failures", {}).values()), error)
    if isinstance(cause, ReshelveError):
        return f"the training failed: {cause}"
    return f"the training failed: {type(cause).__name__}: {cause}"

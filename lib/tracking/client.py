"""What talks to MLflow: `python -m lib.tracking.client`, an order on its stdin, an answer out.

A process of its own: MLflow's limits of time are variables of its environment, and whatever it
loads, prints or waits for does nothing to the training.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from lib.tracking.messages import Answer, Order, Record

MARK, LOGGED = "reshelve.run", "reshelve.logged"
BUNDLE = "bundle"  # its folder among the artifacts
TIMEOUT, RETRIES = "MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
# until the server has answered once; MLflow's own 120 s and 7 retries are minutes
AT_FIRST = {TIMEOUT: "5", RETRIES: "0"}
THEN = {TIMEOUT: "30", RETRIES: "2"}
MOST_PARAMS, MOST_METRICS = 100, 1_000  # that a server takes at once

T = TypeVar("T")


def main() -> None:
    """Read an order, log it, and write the answer as the last line."""
    order = Order.model_validate_json(sys.stdin.read())
    try:
        answer = log(order)
    except Exception as error:  # noqa: BLE001  # whatever it is, the process that ordered says it
        answer = Answer(error=reason_of(error))
    print(answer.model_dump_json())  # noqa: T201  # the other process reads it


def log(order: Order) -> Answer:
    """Log a training, or what an earlier try has left of it."""
    client, record = MlflowClient(), order.record
    then = {name: os.environ.get(name, value) for name, value in THEN.items()}
    os.environ.update(AT_FIRST)
    experiment_id = find_experiment(client, order.experiment)
    os.environ.update(then)
    run = find_run(client, experiment_id, record)
    run_id = run.info.run_id
    if run.data.tags.get(LOGGED) != record.digest:
        log_record(client, run_id, record)
        client.log_artifacts(run_id, order.folder)
        client.set_tag(run_id, LOGGED, record.digest)
        client.set_terminated(run_id, end_time=record.ended_ms)
    version = register(client, order.registered_model, run, record.tags)
    return Answer(experiment_id=experiment_id, run_id=run_id, version=version)


def find_experiment(client: MlflowClient, name: str) -> str:
    """Return the id of the experiment of this name, which is made where there is none."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(name))
    except MlflowException:
        found = client.get_experiment_by_name(name)  # another training may have been faster
        if found is None:
            raise
        return str(found.experiment_id)


def find_run(client: MlflowClient, experiment_id: str, record: Record) -> Run:
    """Return the run that an earlier try has made, or make one."""
    found = client.search_runs([experiment_id], f"tags.`{MARK}` = '{record.mark}'", max_results=1)
    if found:
        return found[0]
    tags = {MARK: record.mark, **record.tags}
    return client.create_run(experiment_id, record.began_ms, tags, record.name)


def log_record(client: MlflowClient, run_id: str, record: Record) -> None:
    """Log tags, parameters and metrics, over those that an earlier try has left."""
    client.log_batch(run_id, tags=[RunTag(*each) for each in record.tags.items()], synchronous=True)
    params = [Param(key, value) for key, value in record.params.items()]
    for some in slices(params, MOST_PARAMS):
        client.log_batch(run_id, params=some, synchronous=True)
    metrics = [Metric(each.key, each.value, each.at_ms, each.step) for each in record.metrics]
    for some in slices(metrics, MOST_METRICS):
        client.log_batch(run_id, metrics=some, synchronous=True)


def register(client: MlflowClient, name: str | None, run: Run, tags: dict[str, str]) -> str | None:
    """Return the version that the run's bundle is of a model, which is made where there is none."""
    if name is None:
        return None
    run_id = run.info.run_id
    for version in client.search_model_versions(f"run_id = '{run_id}'"):
        if version.name == name:
            for key in [each for each in tags if version.tags.get(each) != tags[each]]:
                # the try before was stopped, and has made a bundle of its own
                client.set_model_version_tag(name, version.version, key, tags[key])
            return str(version.version)
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source = f"{run.info.artifact_uri}/{BUNDLE}"
    made = client.create_model_version(name, source, run_id, tags, await_creation_for=0)
    return str(made.version)


def slices(values: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """Yield values in slices of at most `most`."""
    for start in range(0, len(values), most):
        yield values[start : start + most]


def reason_of(error: BaseException) -> str:
    """Return what lies at the root of an error: MLflow wraps a refused connection three times."""
    chain = [error]
    while below := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(below)
    for each in reversed(chain):
        if isinstance(each, TimeoutError):
            return "it does not answer in time"
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
    return " ".join(str(chain[-1]).split()) or type(chain[-1]).__name__


if __name__ == "__main__":
    main()

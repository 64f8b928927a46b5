"""Logging a training that has its bundle; that it fails costs a line, never the training."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from lib.models.bundle import Bundle
from lib.runs import files
from lib.runs.run import Run
from lib.storage.uris import join
from lib.tracking.config import MlflowConfig, without_password
from lib.tracking.messages import Answer, Order
from lib.tracking.record import describe_training

# a server that is not there is given up within seconds (lib/tracking/client.py); this is for one
# that answers, and then hangs
LIMIT_S, LEAST_BYTES_PER_S = 120.0, 500_000
MOST_LETTERS = 300  # of a reason: a server may answer with a page


def log_training(
    config: MlflowConfig | None, run: Run, bundle: Bundle, say: Callable[[str], None]
) -> None:
    """Log a training with its report and its bundle, unless it is logged already.

    Args:
        config: of MLflow; None where the run file does not name it.
        run: the training's.
        bundle: what it has made.
        say: takes the line that says where it is logged, or why not.
    """
    if config is None:
        return
    uri = config.uri or ""
    try:
        answer = _log(config, uri, run, bundle)
    except Exception as error:  # noqa: BLE001  # whatever it is, the training has its bundle
        answer = Answer(error=str(error) or type(error).__name__)
    server = without_password(uri, uri).rstrip("/")
    if answer.error is not None:
        reason = without_password(answer.error, uri)[:MOST_LETTERS].rstrip(".")
        say(
            f"mlflow: {server}: {reason}. This training is not logged there; the same command "
            f"with --set run_id={run.run_id} does it later"
        )
        return
    place = f"{server}, experiment '{config.experiment}', run {answer.run_id}"
    if server.startswith("http"):
        place = f"{server}/#/experiments/{answer.experiment_id}/runs/{answer.run_id}"
    model = f"; version {answer.version} of model '{config.registered_model}'"
    say(f"mlflow: {place}{model if answer.version else ''}")


def _log(config: MlflowConfig, uri: str, run: Run, bundle: Bundle) -> Answer:
    with tempfile.TemporaryDirectory() as folder:
        size = _copy(run, bundle, Path(folder))
        order = Order(
            experiment=config.experiment,
            registered_model=config.registered_model,
            record=describe_training(run, bundle),
            folder=folder,
        )
        return _send(order, uri, LIMIT_S + size / LEAST_BYTES_PER_S)


def _copy(run: Run, bundle: Bundle, folder: Path) -> int:
    """Copy the report and the bundle into a folder on this machine; return their size."""
    storage, copies = run.storage, folder / "bundle"
    copies.mkdir()
    storage.download(run.at(files.REPORT), folder / files.REPORT)
    for name in sorted(storage.names(bundle.uri)):
        storage.download(join(bundle.uri, name), copies / name)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _send(order: Order, uri: str, limit_s: float) -> Answer:
    """Let a process of its own talk to MLflow."""
    environment = {
        "MLFLOW_DISABLE_TELEMETRY": "true",  # nobody but that server is told
        **os.environ,
        "MLFLOW_TRACKING_URI": uri,
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "PYTHONPATH": os.pathsep.join(each or os.curdir for each in sys.path),
        "PYTHONUTF8": "1",
    }
    try:
        ended = subprocess.run(  # our own program
            [sys.executable, "-P", "-m", "lib.tracking.client"],
            input=order.model_dump_json(),
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(error=f"it took longer than {limit_s:.0f} s")
    try:
        return Answer.model_validate_json(ended.stdout.splitlines()[-1])
    except (IndexError, ValidationError):  # it did not come so far
        said = ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"]
        return Answer(error=said[-1])

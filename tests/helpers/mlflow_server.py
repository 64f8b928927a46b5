"""A real MLflow server on this machine, and what it has, as its REST API says it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.helpers.jobs import wait_until
from tests.helpers.ports import free_port

API = "api/2.0/mlflow"
ARTIFACTS = "api/2.0/mlflow-artifacts/artifacts"


@dataclass(frozen=True)
class MlflowServer:
    """A server that runs."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, **body: Any) -> Any:  # noqa: ANN401  # whatever JSON holds
        """POST where there is a body, else GET."""
        request = urllib.request.Request(  # noqa: S310  # our own server
            f"{self.url}/{API}/{path}",
            data=json.dumps(body).encode() if body else None,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # as above
            return json.load(answer)

    def experiment(self, name: str) -> str:
        found = self.ask(f"experiments/get-by-name?experiment_name={quote(name)}")
        return str(found["experiment"]["experiment_id"])

    def runs(self, experiment: str) -> list[Any]:
        """All runs of an experiment, the newest first."""
        found = self.ask("runs/search", experiment_ids=[self.experiment(experiment)])
        return list(found.get("runs", []))

    def versions(self, model: str) -> list[Any]:
        filtered = quote(f"name='{model}'")
        found = self.ask(f"model-versions/search?filter={filtered}")
        return list(found.get("model_versions", []))

    def history(self, run_id: str, key: str) -> list[tuple[int, float]]:
        """Steps and values of a metric, in the order of the steps."""
        found = self.ask(f"metrics/get-history?run_id={run_id}&metric_key={quote(key, safe='')}")
        return sorted((int(each.get("step", 0)), each["value"]) for each in found["metrics"])

    def download(self, artifact_uri: str, folder: Path) -> set[str]:
        """Write the files of a folder of artifacts; return their names."""
        root = artifact_uri.removeprefix("mlflow-artifacts:/")
        listed = json.loads(self._get(f"?path={quote(root)}"))["files"]
        names = {each["path"].rsplit("/", 1)[-1] for each in listed if not each["is_dir"]}
        folder.mkdir(exist_ok=True)
        for name in names:
            (folder / name).write_bytes(self._get(f"/{quote(f'{root}/{name}')}"))
        return names

    def _get(self, path: str) -> bytes:
        where = f"{self.url}/{ARTIFACTS}{path}"
        with urllib.request.urlopen(where, timeout=60) as answer:  # noqa: S310  # as above
            return bytes(answer.read())


@contextlib.contextmanager
def mlflow_server(folder: Path) -> Iterator[MlflowServer]:
    """Run a server that keeps all in a folder: SQLite, and artifacts as files."""
    port = free_port()
    log = folder / "mlflow.log"
    with (
        log.open("w") as said,
        subprocess.Popen(  # noqa: S603  # our own arguments
            [
                *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
                *("--host", "127.0.0.1", "--port", str(port)),
                *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
                *("--artifacts-destination", str(folder / "artifacts")),
            ],
            stdout=said,
            stderr=said,
            cwd=folder,
            # its queue of jobs wants packages that nothing here needs
            env={
                **os.environ,
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            },
            start_new_session=True,
        ) as process,
    ):
        try:
            server = MlflowServer(port)
            wait_until(lambda: process.poll() is not None or _answers(server), at_most_s=240)
            assert process.poll() is None, log.read_text()
            yield server
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # with its own workers


def _answers(server: MlflowServer) -> bool:
    try:
        urllib.request.urlopen(f"{server.url}/health", timeout=10).close()  # noqa: S310  # as above
    except OSError:
        return False
    return True

"""Trainings logged on a real MLflow server; `make test-mlflow` installs it and runs these."""

import importlib.util
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from lib.models.bundle import read_bundle
from tests.helpers import catalogs
from tests.helpers.jobs import ROOT, run_job
from tests.helpers.local_ray import local_ray
from tests.helpers.mlflow_server import MlflowServer, mlflow_server
from tests.helpers.ports import free_port
from tests.pipelines.test_train import School

EXPERIMENT, MODEL, EPOCHS = "shop", "shelves", 2
PASSWORD = "hunter2-wJalrXUt"  # noqa: S105  # no secret, but what must never be shown
MISSING = "'mlflow' is not installed; make test-mlflow"

with_mlflow = pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason=MISSING)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@pytest.fixture(scope="module")
def trained(
    server: MlflowServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[School, Result]]:
    """A school that has trained, and what was said; Ray stays up for what follows."""
    school = School(tmp_path_factory.mktemp("school"))
    school.prepare()
    school.write_run_file(epochs=EPOCHS)
    school.rewrite(
        workers={"count": 1, "cpus": 1},
        mlflow={
            "tracking_uri": server.url.replace("://", f"://anna:{PASSWORD}@"),
            "experiment": EXPERIMENT,
            "registered_model": MODEL,
        },
    )
    with local_ray():
        yield school, run_job("train", school.run_file)


def line_of(said: Result) -> str:
    (line,) = (each for each in said.output.splitlines() if each.startswith("mlflow: "))
    return line


pytestmark = [pytest.mark.ray, pytest.mark.processes, pytest.mark.timeout(900)]


@with_mlflow
def test_a_training_is_logged_with_its_parameters_epochs_and_figures(
    server: MlflowServer, trained: tuple[School, Result]
) -> None:
    school, said = trained
    assert said.exit_code == 0, said.output
    bundle = read_bundle(str(school.run / "bundle"), catalogs.LOCAL)

    (run,) = server.runs(EXPERIMENT)
    info, data = run["info"], run["data"]
    assert (info["run_name"], info["status"]) == ("one", "FINISHED")
    assert f"/runs/{info['run_id']}" in line_of(said)
    params = {each["key"]: each["value"] for each in data["params"]}
    assert params["strategy"] == "finetune"
    assert params["training.batch_size"] == "8"
    assert params["recipe.batch_size"] == str(bundle.info.recipe["batch_size"])
    assert params["recipe.augmentation.flip"] == "true"
    assert params["catalog.uri"] == str(school.folder / "images" / "manifest.csv")
    metrics = {each["key"]: each["value"] for each in data["metrics"]}
    for name, value in bundle.info.metrics.items():
        assert metrics[name] == pytest.approx(value), name
    low, high = (metrics[f"validation_accuracy_{end}"] for end in ("low", "high"))
    assert 0 <= low <= metrics["validation_accuracy"] <= high <= 1
    assert low < high
    losses = server.history(info["run_id"], "held-out/train_loss")
    assert [step for step, _ in losses] == list(range(1, EPOCHS + 1))
    tags = {each["key"]: each["value"] for each in data["tags"]}
    assert tags["reshelve.bundle_digest"] == bundle.digest
    assert tags["reshelve.run_folder"] == str(school.run)


@with_mlflow
def test_the_registered_version_is_the_bundle(
    server: MlflowServer, trained: tuple[School, Result], tmp_path: Path
) -> None:
    bundle = read_bundle(str(trained[0].run / "bundle"), catalogs.LOCAL)

    (version,) = server.versions(MODEL)
    where = f"model-versions/get-download-uri?name={MODEL}&version={version['version']}"
    server.download(server.ask(where)["artifact_uri"], tmp_path / "got")

    assert read_bundle(str(tmp_path / "got"), catalogs.LOCAL).digest == bundle.digest
    assert catalogs.folder_of(tmp_path / "got") == catalogs.folder_of(trained[0].run / "bundle")
    tags = {each["key"]: each["value"] for each in version["tags"]}
    assert tags == {
        "reshelve.run_id": "one",
        "reshelve.run_folder": str(trained[0].run),
        "reshelve.bundle_digest": bundle.digest,
        "reshelve.taxonomy_version": "7",
    }


@with_mlflow
def test_the_report_is_an_artifact(
    server: MlflowServer, trained: tuple[School, Result], tmp_path: Path
) -> None:
    (run,) = server.runs(EXPERIMENT)

    assert "report.html" in server.download(run["info"]["artifact_uri"], tmp_path / "got")
    report = (trained[0].run / "report.html").read_bytes()
    assert (tmp_path / "got" / "report.html").read_bytes() == report


@with_mlflow
def test_the_same_command_again_makes_no_second_run_or_version(
    server: MlflowServer, trained: tuple[School, Result]
) -> None:
    (before,) = server.runs(EXPERIMENT)
    said = run_job("train", trained[0].run_file)

    assert said.exit_code == 0, said.output
    assert line_of(said) == line_of(trained[1])
    assert server.runs(EXPERIMENT) == [before]
    assert len(server.versions(MODEL)) == 1


@with_mlflow
def test_a_password_in_the_address_is_shown_and_kept_nowhere(
    server: MlflowServer, trained: tuple[School, Result]
) -> None:
    school, said = trained

    assert PASSWORD not in said.output
    (run,) = server.runs(EXPERIMENT)
    assert PASSWORD not in json.dumps(run)
    assert [
        path
        for path in school.run.rglob("*")
        if path.is_file() and PASSWORD.encode() in path.read_bytes()
    ] == []
    wrong = run_job("train", school.run_file, "--set", f"mlflow=http://anna:{PASSWORD}@tracking")
    assert wrong.exit_code == 2
    assert "'mlflow'" in wrong.stderr
    assert PASSWORD not in wrong.output


@with_mlflow
def test_a_server_that_is_down_costs_a_line_and_the_training_is_logged_once_when_it_is_back(
    server: MlflowServer, trained: tuple[School, Result]
) -> None:
    school, experiment = trained[0], "later"
    settings = ["--set", "run_id=two", "--set", f"mlflow.experiment={experiment}"]
    address = f"127.0.0.1:{free_port()}"
    nobody = f"http://anna:{PASSWORD}@{address}"
    alone = run_job("train", school.run_file, *settings, "--set", f"mlflow.tracking_uri={nobody}")

    assert alone.exit_code == 0, alone.output
    folder = school.folder / "runs" / "two"
    assert read_bundle(str(folder / "bundle"), catalogs.LOCAL).info.run_id == "two"
    assert line_of(alone) == (
        f"mlflow: http://{address}: Connection refused. This training is not logged there; the "
        "same command with --set run_id=two does it later"
    )

    # what a try that was killed leaves: a run, and nothing in it
    begun_by = json.loads((folder / "run.json").read_text())["begun_by"]
    experiment_id = server.ask("experiments/create", name=experiment)["experiment_id"]
    tags = [{"key": "reshelve.run", "value": f"two-{begun_by}"}]
    half = server.ask("runs/create", experiment_id=experiment_id, tags=tags)["run"]["info"]
    later = run_job("train", school.run_file, *settings)

    assert later.exit_code == 0, later.output
    (run,) = server.runs(experiment)
    assert (run["info"]["run_id"], run["info"]["status"]) == (half["run_id"], "FINISHED")
    assert {each["key"] for each in run["data"]["metrics"]} >= {"validation_accuracy"}
    assert len(server.versions(MODEL)) == 2

    # and what one leaves that was killed before it could say that the training has ended
    (folder / "outcome.json").unlink()
    resumed = run_job("train", school.run_file, *settings)

    assert resumed.exit_code == 0, resumed.output
    assert "(resumed)" in resumed.output
    assert json.loads((folder / "outcome.json").read_text())["state"] == "trained"
    assert [each["info"]["run_id"] for each in server.runs(experiment)] == [half["run_id"]]
    assert len(server.versions(MODEL)) == 2


@with_mlflow
def test_a_server_that_takes_calls_and_never_answers_costs_seconds_and_a_line(
    trained: tuple[School, Result],
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        before = time.monotonic()
        said = run_job("train", trained[0].run_file, "--set", f"mlflow.tracking_uri={address}")

    assert said.exit_code == 0, said.output
    line = line_of(said)
    assert line.startswith(f"mlflow: {address}: it does not answer in time. ")
    # 5 s, and what loading MLflow takes on a machine that has other things to do
    assert time.monotonic() - before < 60


def refused(folder: Path, mlflow: str, before: str = "") -> subprocess.CompletedProcess[str]:
    (folder / "taxonomy.yaml").write_text(catalogs.TAXONOMY_YAML)
    (folder / "train.yaml").write_text(
        f"taxonomy: {folder}/taxonomy.yaml\ncatalog: {{uri: photos}}\nmlflow: {mlflow}\n"
    )
    program = f"{before}; from jobs.train import main; from jobs.command import run; run(main)"
    return subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", program, str(folder / "train.yaml")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_where_mlflow_is_not_installed_a_run_file_that_names_it_is_refused(tmp_path: Path) -> None:
    said = refused(
        tmp_path, "{tracking_uri: 'http://x:1'}", "import sys; sys.modules['mlflow']=None"
    )

    assert said.returncode == 2
    assert (
        "mlflow: the package is not installed here; pip install 'reshelve[mlflow]'" in said.stderr
    )


@with_mlflow
def test_where_no_server_is_named_a_run_file_that_names_mlflow_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    said = refused(tmp_path, "{}", "import sys")

    assert said.returncode == 2
    assert "mlflow: no server is named; give mlflow.tracking_uri" in said.stderr

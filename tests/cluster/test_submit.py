import os
import re
import shutil
import subprocess
import sys
import urllib.error
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray.job_submission import JobDetails, JobStatus

from lib.cluster.code_package import LIMIT_MB, PACKAGES, pack
from lib.cluster.job_server import exit_code
from lib.errors import InputError, ReshelveError
from tests.conftest import Bucket, Server
from tests.helpers.catalogs import pictures
from tests.helpers.far import RENAMED, Catalog, role, submit
from tests.helpers.jobs import ROOT, finish, run_job, start, told_by
from tests.helpers.nodes import Nodes, separate_nodes
from tests.helpers.ports import free_port

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the one who submits; no node sees it."""
    return tmp_path_factory.mktemp("driver")


@pytest.fixture(scope="module")
def secret(s3_server: Server) -> str:
    """The store's secret key; moto takes any, so there it is one that stands nowhere else."""
    return s3_server.secret if s3_server.is_ceph else f"canary{uuid.uuid4().hex}"


@pytest.fixture(scope="module")
def nodes(s3_server: Server, driver: Path, secret: str) -> Iterator[Nodes]:
    """A head and two workers, whose role is told them by the standard variables."""
    with separate_nodes(["a", "b"], [driver], role(s3_server, secret)) as nodes:
        yield nodes


@pytest.fixture
def catalog(s3: Bucket, driver: Path) -> Catalog:
    return Catalog(s3, driver)


def test_nodes_without_a_shared_disk_train_classify_and_backfill(
    nodes: Nodes, driver: Path, catalog: Catalog
) -> None:
    code, said, errors = submit(nodes, driver, "train", catalog.training("trained"))

    assert code == 0, said + errors
    assert re.search(r"shipping \d\.\d MB of code", said)
    assert catalog.storage.exists(f"{catalog.uri}/runs/trained/bundle/bundle.json")

    code, said, errors = submit(nodes, driver, "classify", catalog.classification("far"))

    assert code == 0, said + errors
    here = start("jobs.classify", catalog.classification("near"), environment={"RAY_ADDRESS": ""})
    assert finish(here)[0] == 0
    assert catalog.rows("far").equals(catalog.rows("near"))

    before = catalog.rows("far")
    code, said, errors = submit(nodes, driver, "backfill", catalog.backfill("moved", "far"))

    assert code == 0, said + errors
    expected = [RENAMED.get(each, each) for each in before["category_id"].to_pylist()]
    assert catalog.rows("far")["category_id"].to_pylist() == expected


def test_a_failing_gate_ends_the_command_as_it_ends_the_job_and_again_when_resumed(
    nodes: Nodes, driver: Path, catalog: Catalog
) -> None:
    run_file = catalog.classification("refused", max_error_rate=0.0)

    code, first, _ = submit(nodes, driver, "classify", run_file, "--no-wait")
    assert code == 0
    code, second, _ = submit(nodes, driver, "classify", run_file)
    assert code == 3
    code, third, _ = submit(nodes, driver, "classify", run_file)
    assert code == 3

    job_id = first.split()[-1]
    assert f"{job_id} is under way: following it" in second
    assert "gates.max_error_rate" in second
    assert f"submitted as {job_id}-2" in third
    assert "has ended before" in third


def test_settings_and_the_jobs_own_options_reach_it(
    nodes: Nodes, driver: Path, catalog: Catalog
) -> None:
    run_file = catalog.classification("dry")
    prices = "--set=prices.node_hour={head: 1, cpu: 2}"

    options = ("--dry-run", "--json")
    code, said, errors = submit(nodes, driver, "classify", run_file, prices, "--", *options)

    assert code == 0, said + errors
    assert "estimated cost: " in said
    told = told_by(said)
    assert (told["state"], told["exit_code"]) == ("planned", 0)
    assert told["cost"] > 0
    assert not catalog.storage.exists(f"{catalog.uri}/runs/dry/run.json")


def test_what_asks_embeddings_runs_on_a_cluster_too(
    nodes: Nodes, driver: Path, catalog: Catalog
) -> None:
    night, kept = catalog.classification("asked"), f"{catalog.uri}/embeddings"
    assert submit(nodes, driver, "classify", night)[0] == 0
    (digest,) = catalog.storage.names(kept)
    examples = [f"odd,{name},{number % 2}" for number, name in enumerate(pictures(12))]
    catalog.storage.write(
        f"{catalog.uri}/tags.csv", "\n".join(["tag,item_id,holds", *examples]).encode()
    )
    tables = (
        "--labels-table",
        f"{catalog.uri}/asked/labels",
        "--tags-table",
        f"{catalog.uri}/tags",
    )

    for state, job, run_file, *options in (
        ("indexed", "index", night, kept),
        ("tagged", "tag", night, f"{catalog.uri}/tags.csv", *tables, "--embeddings", kept),
        ("matched", "match", catalog.matching("pairs", kept)),
        ("discovered", "discover", catalog.discovery("groups", kept)),
    ):
        code, said, errors = submit(nodes, driver, job, run_file, "--", *options, "--json")
        assert code == 0, said + errors
        assert told_by(said)["state"] == state

    # a network without weights sees nothing: it is refused there, in words
    code, said, _ = submit(nodes, driver, "check", catalog.training("checked"), "--", "--json")
    assert code == 2
    assert "without weights sees nothing" in told_by(said)["sentence"]

    names = catalog.storage.names(f"{kept}/{digest}")
    assert any(name.endswith(".usearch") for name in names)


@pytest.mark.faults
def test_a_job_that_dies_before_its_first_line_is_one_sentence(
    nodes: Nodes, driver: Path, catalog: Catalog, tmp_path: Path
) -> None:
    for package in ("jobs", "lib", "pipelines"):
        shutil.copytree(ROOT / package, tmp_path / package)
    (tmp_path / "jobs" / "classify.py").write_text("import os\n\nos.kill(os.getpid(), 9)\n")
    run_file = catalog.classification("dead")

    code, said, errors = submit(nodes, driver, "classify", run_file, PYTHONPATH=str(tmp_path))

    assert code == 1, said + errors
    assert re.fullmatch(r"error: \S+ was killed on the cluster \(signal 9\); [^\n]*\n", errors)
    assert not catalog.storage.exists(f"{catalog.uri}/runs/dead/run.json")


# where Ray's dashboard gets from what it shows of jobs
SHOWN = (
    "/api/jobs/",
    "/api/v0/actors?detail=1",
    "/api/v0/runtime_envs?detail=1",
    "/api/v0/tasks?detail=1",
    "/api/v0/workers?detail=1",
    "/api/train/v2/runs/v1",
)


def shown(nodes: Nodes, path: str) -> str:
    """What the server says, be it that something goes wrong inside."""
    try:
        return nodes.ask(path)
    except urllib.error.HTTPError as error:
        return error.read().decode()


@pytest.mark.faults
def test_keys_stand_in_no_log_no_object_and_nothing_that_the_cluster_shows(
    nodes: Nodes, driver: Path, catalog: Catalog, s3: Bucket, secret: str
) -> None:
    # the worst way to give them: on the command line
    keys = {"access_key_id": s3.server.key, "secret_access_key": secret}
    settings = [f"--set=storage.{key}={value}" for key, value in keys.items()]

    for job, run_file in (
        ("train", catalog.training("secret-train", epochs=1)),
        ("classify", catalog.classification("secret-classify")),
    ):
        code, said, errors = submit(nodes, driver, job, run_file, *settings)
        assert code == 0, said + errors
        assert secret not in said + errors

    for path in SHOWN:
        assert secret not in shown(nodes, path), path
    assert "jobs.train" in shown(nodes, SHOWN[0])
    assert [str(path) for path, log in nodes.logs() if secret.encode() in log] == []
    for key in s3.list_keys():
        assert secret.encode() not in catalog.storage.read(f"{s3.uri}/{key}")


@pytest.mark.faults  # it waits for nodes that may yet come
def test_more_gpus_than_the_cluster_will_ever_have_is_one_sentence(
    nodes: Nodes, driver: Path, catalog: Catalog
) -> None:
    run_file = catalog.training("large")

    code, said, _ = submit(nodes, driver, "train", run_file, "--set=workers.gpus=4")

    assert code == 2
    assert said.splitlines()[-1].startswith("error: workers: 2 CPUs and 8 GPUs are asked for")
    assert '"RUNNING"' not in nodes.ask("/api/jobs/")


def test_a_wrong_token_is_one_sentence(nodes: Nodes, driver: Path, catalog: Catalog) -> None:
    run_file = catalog.classification("token")

    code, said, errors = submit(nodes, driver, "classify", run_file, RAY_AUTH_TOKEN="0" * 48)

    assert (code, said) == (2, "")
    assert "the cluster refuses this token" in errors
    assert len(errors.splitlines()) == 1


# the cluster is as it is: it is this side that pretends to be another
PRETEND = """
import platform, ray
from jobs.__main__ import app
{pretence}
app()
"""


@pytest.mark.parametrize(
    ("pretence", "sentence"),
    [
        (
            "ray.__version__ = '2.59.0'",
            f"has Ray {ray.__version__}, this machine 2.59.0",
        ),
        ("platform.python_version = lambda: '2.7.18'", "this machine 2.7.18"),
    ],
    ids=["Ray", "Python"],
)
def test_another_version_is_refused_before_anything_is_shipped(
    nodes: Nodes, catalog: Catalog, pretence: str, sentence: str
) -> None:
    before = nodes.ask("/api/jobs/")
    program = PRETEND.format(pretence=pretence)
    run_file = catalog.classification("version")

    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", program, "submit", "classify", run_file],
        env={**os.environ, **nodes.variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert nodes.ask("/api/jobs/") == before


def test_no_cluster_at_the_address_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_file = tmp_path / "night.yaml"
    run_file.write_text(
        "{output: /x, catalog: {uri: s3://x/y}, bundle: s3://x/z, labels_table: s3://x/t, "
        "embeddings: s3://x/e}"
    )
    monkeypatch.setenv("RAY_ADDRESS", f"http://127.0.0.1:{free_port()}")

    result = run_job("submit", "classify", str(run_file))

    assert result.exit_code == 1
    assert re.fullmatch(r"error: no Ray cluster answers at RAY_ADDRESS=.*\n", result.output)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["clasify", "RUN"], "'clasify' cannot be submitted"),
        (["classify", "RUN", "--set", "output=runs"], "a folder that a cluster's nodes do not"),
        (["classify", "RUN", "--set", "engine.actor=2"], "did you mean 'actors'"),
        (["classify", "RUN", "--", "--set=storage.x=y"], "--set goes before"),
        (["match", "RUN"], "'left' is missing"),
        (["index", "RUN"], "'embeddings' is 'embeddings', a folder that a cluster's nodes do not"),
        (["tag", "RUN", "--", "s3://x/tags.csv", "--html", "tags.html"], "a folder that a cluster"),
        (["index", "RUN", "--", "s3://x/e", "--top", "3"], "No such option: --top"),
        (["index", "RUN", "--", "s3://x/e", "--run-file", "other.yaml"], "name it once"),
        (["classify", "RUN"], "RAY_ADDRESS is not set"),
        (["index", "RUN", "--", "s3://x/e"], "RAY_ADDRESS is not set"),
    ],
)
def test_what_cannot_be_submitted_is_said_without_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    run_file = tmp_path / "night.yaml"
    run_file.write_text(
        "{output: /x, catalog: {uri: s3://x/y}, bundle: s3://x/z, labels_table: s3://x/t, "
        "embeddings: s3://x/e}"
    )
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    result = run_job("submit", *[str(run_file) if a == "RUN" else a for a in arguments])

    assert result.exit_code == 2
    assert sentence in result.output


def test_a_folder_that_is_too_large_to_ship_names_its_largest_file(tmp_path: Path) -> None:
    for name in PACKAGES:
        (tmp_path / "code" / name).mkdir(parents=True)
    with (tmp_path / "code" / "jobs" / "weights.pth").open("wb") as file:
        os.truncate(file.fileno(), int(LIMIT_MB + 1) * 2**20)

    with pytest.raises(InputError, match=r"the largest file is jobs/weights\.pth"):
        pack(tmp_path / "code", "output: x", tmp_path / "target")

    assert not (tmp_path / "target").exists()


def test_only_code_is_shipped(tmp_path: Path) -> None:
    size_mb = pack(ROOT, "output: x\n", tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {*PACKAGES, "run.yaml"}
    assert not [*tmp_path.rglob("__pycache__")]
    assert size_mb < 3


def details(status: JobStatus, message: str, code: int | None) -> JobDetails:
    return JobDetails(
        type="SUBMISSION", status=status, entrypoint="", message=message, driver_exit_code=code
    )


@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_each_exit_code_of_ours_is_passed_on(code: int) -> None:
    assert exit_code("night", details(JobStatus.FAILED, "", code)) == code


@pytest.mark.parametrize(
    ("job", "sentence"),
    [
        (details(JobStatus.FAILED, "Failed to set up:\nno disk", None), "could not begin: no disk"),
        (
            details(JobStatus.FAILED, "sh: python: not found\n", 127),
            "with code 127, .*: sh: python",
        ),
        (details(JobStatus.FAILED, "Killed\n", 137), r"was killed on the cluster \(signal 9\)"),
        (details(JobStatus.FAILED, "", -9), r"was killed on the cluster \(signal 9\)"),
        (details(JobStatus.STOPPED, "", None), "was stopped on the cluster"),
    ],
)
def test_a_job_that_did_not_end_by_itself_is_one_sentence(job: JobDetails, sentence: str) -> None:
    with pytest.raises(ReshelveError, match=sentence):
        exit_code("night", job)

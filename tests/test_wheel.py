"""The package as others install it: a wheel, where nothing knows of this folder."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
import yaml
from deltalake import DeltaTable

from tests.helpers import catalogs
from tests.helpers.jobs import ROOT

pytestmark = [pytest.mark.timeout(300), pytest.mark.processes]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    # in a copy: setuptools leaves its own folders where it builds
    files = subprocess.run(  # our own arguments
        ["git", "ls-files", "-co", "--exclude-standard"],  # noqa: S607  # as developers have it
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in files.stdout.splitlines():
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    pip("wheel", "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    (built,) = folder.glob("reshelve-*.whl")
    return built


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel alone into a fresh environment; its libraries are this one's."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder / "env", symlinks=True)
    pip("--python", str(python_of(folder)), "install", str(wheel))
    (packages,) = (folder / "env").glob("lib/python*/site-packages")
    # a plain path: what is installed for development there stays out
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    return folder


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", *arguments, "--no-deps"]
    subprocess.run(command, check=True)  # noqa: S603  # our own arguments


def python_of(folder: Path) -> Path:
    return folder / "env" / "bin" / "python"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(python_of(folder)), "-m", *arguments]
    return subprocess.run(  # noqa: S603  # our own arguments
        command, cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_wheel_holds_three_packages_with_their_run_files_and_templates(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())

    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {
        "jobs",
        "pipelines",
        "lib",
    }
    run_files = {str(path.relative_to(ROOT)) for path in (ROOT / "jobs/runs").glob("*.yaml")}
    templates = {str(path.relative_to(ROOT)) for path in (ROOT / "lib").rglob("*.j2")}
    assert len(run_files) > 5
    assert len(templates) > 3
    assert run_files | templates <= names


def test_the_demo_of_an_installed_package_says_where_it_is(elsewhere: Path) -> None:
    said = run(elsewhere, "jobs", "demo")

    assert said.returncode == 2
    assert said.stderr.startswith("error: the demo draws its catalog with examples/demo_catalog")


@pytest.mark.ray
def test_an_installed_package_classifies_publishes_and_reports(elsewhere: Path) -> None:
    catalogs.make_bundle(str(elsewhere / "bundle"))
    catalogs.write_catalog(str(elsewhere / "images"), catalogs.pictures(6))
    described = {
        "catalog": {"uri": "images/manifest.csv"},
        "bundle": "bundle",
        "run_id": "first",
        "engine": {"device": "cpu", "actors": 1, "cpus_per_actor": 1},
    }
    (elsewhere / "run.yaml").write_text(yaml.safe_dump(described))

    said = run(elsewhere, "jobs.classify", "run.yaml")

    assert said.returncode == 0, said.stderr
    assert DeltaTable(elsewhere / "labels").to_pyarrow_table().num_rows == 6
    assert "<html" in (elsewhere / "runs/first/report.html").read_text()

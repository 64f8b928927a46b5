import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("jobs", "pipelines", "lib")
SOURCES = [path for each in PACKAGES for path in sorted((ROOT / each).rglob("*.py"))]
IDS = [str(path.relative_to(ROOT)) for path in SOURCES]
JOB_LINES = 80


def test_imports_point_down_the_layers_without_a_circle_and_only_the_cluster_knows_ray() -> None:
    # in a process of its own: the linter changes logging for good
    said = subprocess.run(  # our own program
        [sys.executable, "-m", "tests.helpers.layers"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 0, said.stdout


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_every_file_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_jobs_are_thin() -> None:
    lines = {p.name: len(p.read_text().splitlines()) for p in (ROOT / "jobs").glob("*.py")}

    assert {name: count for name, count in lines.items() if count > JOB_LINES} == {}


@pytest.mark.timeout(60)
@pytest.mark.processes
@pytest.mark.parametrize(
    ("module", "not_loaded"),
    [
        ("jobs.__main__", {"torch", "ray"}),  # what is wrong with a command is said at once
        ("pipelines.train_config", {"torch", "ray"}),
        # nobody waits for them without a line: they are loaded after the first ones
        ("pipelines.classify", {"torch", "ray"}),
        ("pipelines.classify_dry_run", {"torch", "ray"}),
        ("pipelines.embed", {"torch", "ray"}),
        ("pipelines.match", {"torch", "ray"}),
        ("pipelines.backfill", {"torch", "ray"}),
        ("pipelines.backfill_inputs", {"torch", "ray"}),
        ("pipelines.backfill_dry_run", {"torch", "ray"}),
        ("lib.inference.classifier", {"ray", "duckdb", "rich", "botocore.session", "torchvision"}),
        ("lib.inference.here", {"torch", "ray"}),
        # two seconds and half a GB: the actors'
        ("lib.cluster.classify_units", {"torch", "torchvision"}),
        (
            "lib.inference.classify_unit",
            {"torchvision"},
        ),  # two seconds more, where OpenVINO classifies
    ],
)
def test_what_takes_long_to_load_is_loaded_where_it_is_needed(
    module: str, not_loaded: set[str]
) -> None:
    program = f"import {module}, sys; print({not_loaded} & set(sys.modules))"

    said = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (said.stdout.strip(), said.returncode) == ("set()", 0), said.stderr

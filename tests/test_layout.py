import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("lib", "pipelines", "jobs")  # each may import itself and those before it
SOURCES = [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]
IDS = [str(path.relative_to(ROOT)) for path in SOURCES]
JOB_LINES = 80


def imported(path: Path) -> Iterator[str]:
    """Top-level names of all that a file imports, at its head or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import"
            yield (node.module or "").partition(".")[0]


def layer_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_imports_point_one_way_and_only_pipelines_know_ray(path: Path) -> None:
    layer = layer_of(path)
    above = set(LAYERS[LAYERS.index(layer) + 1 :]) | {"tests", "benchmarks"}
    forbidden = above if layer == "pipelines" else above | {"ray"}

    assert not forbidden & set(imported(path))


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_every_file_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_jobs_are_thin() -> None:
    lines = {p.name: len(p.read_text().splitlines()) for p in (ROOT / "jobs").glob("*.py")}

    assert {name: count for name, count in lines.items() if count > JOB_LINES} == {}


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("module", "not_loaded"),
    [
        ("jobs.__main__", {"torch", "ray"}),  # what is wrong with a command is said at once
        ("pipelines.classify", {"torch", "torchvision"}),  # two seconds and half a GB: the actors'
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

"""Print the rooms of the house in their layers, each with what it imports: `make layers`."""

import sys
import tomllib
from pathlib import Path

import grimp
from importlinter.cli import lint_imports

CONFIG = Path(__file__).resolve().parents[2] / "pyproject.toml"
PACKAGES = ("jobs", "pipelines", "lib")


def read_layers() -> list[list[str]]:
    """Return the layers that pyproject.toml sets, the highest first, each a list of modules."""
    contracts = tomllib.loads(CONFIG.read_text())["tool"]["importlinter"]["contracts"]
    rooms = next(each["layers"] for each in contracts if each.get("containers") == ["lib"])
    inside = [[f"lib.{room.strip()}" for room in row.replace(":", "|").split("|")] for row in rooms]
    return [["jobs"], ["pipelines"], *inside]


def main() -> int:
    """Print the graph, and check the contracts; return 0 where all of them hold."""
    graph = grimp.build_graph(*PACKAGES)
    layers = read_layers()
    lines: list[str] = []
    order = [room for layer in layers for room in layer]
    for number, layer in reversed(list(enumerate(reversed(layers), 1))):
        lines.append(f"layer {number}")
        for room in layer:
            inside = {room, *graph.find_descendants(room)}
            imported = {m for each in inside for m in graph.find_modules_directly_imported_by(each)}
            below = [r for r in order if r != room and imported & {r, *graph.find_descendants(r)}]
            names = ", ".join(each.removeprefix("lib.") for each in below) or "nothing"
            lines.append(f"  {room:16} imports {names}")
    sys.stdout.write("\n".join(lines))
    sys.stdout.flush()
    return lint_imports(config_filenames=(str(CONFIG),), no_cache=True, no_logo=True)


if __name__ == "__main__":
    raise SystemExit(main())

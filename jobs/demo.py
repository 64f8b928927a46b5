"""The demo on a drawn catalog: `python -m jobs.demo`, or `make demo`."""

import sys
from pathlib import Path

from jobs.command import reporting, run
from lib.errors import InputError


def main() -> None:
    """Draw a catalog, train on a part of it, classify all of it."""
    with reporting():
        root = Path(__file__).resolve().parents[1]
        if not (root / "examples").is_dir():
            raise InputError(
                "the demo draws its catalog with examples/demo_catalog, which comes with the "
                "source and not with the installed package; run 'make demo' in a clone of it"
            )
        sys.path.append(str(root))  # where the command `reshelve` does not look
        from rich.console import Console

        from examples.demo_catalog.catalog import draw_catalog
        from pipelines.demo import demo

        demo(draw_catalog, Path(__file__).parent / "runs", Console())


if __name__ == "__main__":
    run(main)

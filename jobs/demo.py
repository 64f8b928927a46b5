"""The demo on a drawn catalog: `python -m jobs.demo`, or `make demo`."""

from pathlib import Path

from jobs.command import reporting, run
from lib.errors import InputError


def main() -> None:
    """Draw a catalog, train on a part of it, classify and publish all of it."""
    with reporting():
        try:
            from examples.demo_catalog.catalog import draw_catalog
        except ModuleNotFoundError:
            raise InputError(
                "the demo draws its catalog with examples/demo_catalog, which comes with the "
                "source and not with the installed package; run 'make demo' in a clone of it"
            ) from None
        from rich.console import Console

        from pipelines.demo import demo

        demo(draw_catalog, Path(__file__).parent / "runs", Console())


if __name__ == "__main__":
    run(main)

"""The demo on a drawn catalog: `python -m jobs.demo`, or `make demo`."""

from pathlib import Path

from jobs.command import reporting, run


def main() -> None:
    """Draw a catalog, train on a part of it, classify and publish all of it."""
    with reporting():
        from rich.console import Console

        from pipelines.demo import demo

        demo(Path(__file__).parent / "runs", Console())


if __name__ == "__main__":
    run(main)

"""Draw the demo's catalog by itself: `python -m examples.demo_catalog FOLDER`."""

from pathlib import Path
from typing import Annotated

import typer

from examples.demo_catalog.catalog import FEWEST_ITEMS, draw_catalog


def main(
    folder: Annotated[Path, typer.Argument(help="Where to draw it.")],
    items: Annotated[int, typer.Option(min=FEWEST_ITEMS, help="How many items.")] = 720,
) -> None:
    """Draw a catalog: images, a taxonomy, and which items are labelled."""
    catalog = draw_catalog(folder, items=items)
    typer.echo(f"{items} items in {folder}: {catalog.name}, labelled.csv, taxonomy.yaml")


if __name__ == "__main__":
    typer.run(main)

"""Compare taxonomies: `python -m jobs.taxonomy diff OLD NEW`."""

from pathlib import Path
from typing import Annotated

import typer

from jobs.command import new_app, reporting

app = new_app()


@app.callback()
def taxonomy() -> None:
    """Work with taxonomies."""


@app.command("diff")
def diff(
    taxonomies: Annotated[
        list[str], typer.Argument(help="Taxonomy files, oldest first.", metavar="OLD... NEW")
    ],
    run_file: Annotated[
        Path | None, typer.Option(help="A run file whose 'storage' is used.", metavar="RUN.yaml")
    ] = None,
) -> None:
    """Say what a taxonomy changes, and write the migration beside it."""
    with reporting() as say:
        from lib.storage.config import storage_of
        from lib.storage.storage import Storage
        from pipelines.taxonomy_diff import diff as compare

        if len(taxonomies) < 2:
            raise typer.BadParameter("give two taxonomy files at least, the oldest first")
        compare(taxonomies, Storage(storage_of(run_file)), say)


if __name__ == "__main__":
    app()

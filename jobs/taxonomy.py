"""Compare taxonomies: `python -m jobs.taxonomy diff OLD NEW`."""

import json
from pathlib import PurePosixPath
from typing import Annotated

import typer

from jobs.command import new_app
from jobs.ending import EndAsJson, ending
from jobs.options import StorageOf

app = new_app()


@app.callback()
def taxonomy() -> None:
    """Work with taxonomies."""


@app.command("diff")
def diff(
    taxonomies: Annotated[
        list[str], typer.Argument(help="Taxonomy files, oldest first.", metavar="OLD... NEW")
    ],
    run_file: StorageOf = None,
    *,
    as_json: EndAsJson = False,
) -> None:
    """Show what a taxonomy changes, and write the migration beside it."""
    with ending("taxonomy diff", as_json=as_json) as (say, end):
        from lib.storage.config import storage_of
        from lib.storage.storage import Storage
        from lib.taxonomy.migration import describe, migrate
        from lib.taxonomy.taxonomy import read_taxonomy

        if len(taxonomies) < 2:
            raise typer.BadParameter("give at least two taxonomy files, the oldest first")
        storage = Storage(storage_of(run_file))
        migration = migrate([read_taxonomy(source, storage) for source in taxonomies])
        for line in describe(migration):
            say(line)
        newest = taxonomies[-1]
        target = newest.removesuffix(PurePosixPath(newest).suffix) + ".migration.json"
        text = json.dumps(migration.to_json(), indent=2, ensure_ascii=False)
        storage.write(target, text.encode())
        say(f"migration: {target}")
        end.tell(
            "compared",
            f"taxonomy version {migration.old.version} to {migration.new.version}",
            by_rule=len(migration.by_rule),
            by_model=len(migration.for_model),
            without_examples=len(migration.without_examples),
            migration=target,
        )


if __name__ == "__main__":
    app()

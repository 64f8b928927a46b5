"""Show what became of a labels table: `python -m jobs.history TABLE`."""

import json
from typing import Annotated

import typer

from jobs.command import reporting, run
from jobs.options import AsJson, StorageOf


def main(
    table: Annotated[str, typer.Argument(help="The labels table.", metavar="TABLE")],
    run_file: StorageOf = None,
    *,
    last: Annotated[int, typer.Option(min=1, help="Show the last N versions.", metavar="N")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show each version of a labels table: when, which run, what, who."""
    with reporting() as say:
        from lib.errors import InputError
        from lib.labels.delta_table import LabelsTable
        from lib.storage.config import storage_of
        from lib.storage.storage import Storage

        found = LabelsTable(table, Storage(storage_of(run_file))).history(last)
        if not found:
            raise InputError(f"{table}: there is no labels table here")
        if as_json:
            say(json.dumps([each.to_json() for each in found], ensure_ascii=False))
            return
        for version in found:
            for line in version.lines:
                say(line)


if __name__ == "__main__":
    run(main)

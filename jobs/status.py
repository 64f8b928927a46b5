"""Show how a run, or how all runs of a folder stand: `python -m jobs.status RUN`."""

import json
from typing import Annotated

import typer

from jobs.command import reporting, run
from jobs.options import AsJson, StorageOf


def main(
    folder: Annotated[
        str, typer.Argument(help="The folder of a run, or that of all runs.", metavar="RUN|OUTPUT")
    ],
    run_file: StorageOf = None,
    *,
    last: Annotated[
        int, typer.Option(min=1, help="Of OUTPUT, show the last N runs.", metavar="N")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """Show how a run stands, or all runs of a folder."""
    with reporting() as say:
        from lib.errors import InputError
        from lib.runs import files
        from lib.runs.run import open_folder
        from lib.runs.state import state_of, states_below
        from lib.runs.status import list_lines, status_lines
        from lib.storage.config import storage_of
        from lib.storage.storage import Storage

        storage = Storage(storage_of(run_file))
        one = open_folder(folder, storage)
        if one.exists(files.RECORD):
            state = state_of(one)
            lines = [json.dumps(state.to_json())] if as_json else status_lines(state)
        else:
            states = states_below(folder, storage, last)
            if not states:
                raise InputError(f"{folder}: there is no run here, and no folder of runs")
            found = [each.to_json() for each in states]
            lines = [json.dumps(found)] if as_json else list_lines(states)
        for line in lines:
            say(line)


if __name__ == "__main__":
    run(main)

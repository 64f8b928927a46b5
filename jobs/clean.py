"""Remove what runs have left behind: `python -m jobs.clean OUTPUT`."""

from datetime import timedelta
from typing import Annotated

import typer

from jobs.command import run
from jobs.ending import EndAsJson, ending
from jobs.options import StorageOf


def main(
    output: Annotated[str, typer.Argument(help="The folder of run folders.", metavar="OUTPUT")],
    run_file: StorageOf = None,
    older_than_days: Annotated[
        float, typer.Option(min=1, help="Leave younger runs alone.", metavar="N")
    ] = 7,
    *,
    delete: Annotated[
        bool, typer.Option("--delete", help="Remove what was found; without it, only show it.")
    ] = False,
    as_json: EndAsJson = False,
) -> None:
    """Show, or remove, what unfinished and superseded runs have left."""
    with ending("clean", as_json=as_json) as (say, end):
        from lib.runs.cleanup import clean
        from lib.runs.progress import plural
        from lib.storage.config import storage_of
        from lib.storage.storage import Storage

        storage = Storage(storage_of(run_file))
        found, kept = clean(output, timedelta(days=older_than_days), storage, delete=delete)
        for leftover in found:
            say(f"{'removed' if delete else 'would remove'} {leftover.uri}: {leftover.why}")
        for why, runs in kept.items():
            say(f"left alone: {plural(runs, 'run')}, {why}")
        sentence = f"{len(found):,} {'removed' if delete else 'to remove'}"
        if not found:
            sentence = (
                "nothing to remove" if kept else f"nothing to remove: no run lies in {output}"
            )
            say(sentence)
        elif not delete:
            say("nothing was removed; --delete does it")
        state = "cleaned" if delete else "planned"
        end.tell(state, sentence, leftovers=len(found), left_alone=sum(kept.values()))


if __name__ == "__main__":
    run(main)

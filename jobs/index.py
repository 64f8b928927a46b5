"""Index kept embeddings for searches: `python -m jobs.index EMBEDDINGS`."""

from typing import Annotated

import typer

from jobs.command import run
from jobs.ending import EndAsJson, ending
from jobs.options import StorageOf


def main(
    embeddings: Annotated[
        str, typer.Argument(help="The folder that keeps the embeddings.", metavar="EMBEDDINGS")
    ] = "embeddings",
    run_file: StorageOf = None,
    *,
    as_json: EndAsJson = False,
) -> None:
    """Make the indexes of embeddings that are missing or damaged."""
    with ending("index", as_json=as_json) as (say, end):
        from lib.storage.config import storage_of
        from lib.storage.storage import Storage
        from pipelines.index import index

        done = index(embeddings, Storage(storage_of(run_file)), say)
        indexed = sum(each.embeddings for each in done)
        end.tell("indexed", "; ".join(each.sentence for each in done), indexed=indexed)


if __name__ == "__main__":
    run(main)

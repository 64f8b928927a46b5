"""Tag a catalog from a few examples: `python -m jobs.tag EXAMPLES.csv`."""

from typing import Annotated

import typer

from jobs.command import run
from jobs.ending import EndAsJson, ending
from jobs.options import BundleOf, Embeddings, LabelsTable, Page, StorageOf


def main(
    examples: Annotated[
        str,
        typer.Argument(help="A CSV with the columns tag, item_id, holds.", metavar="EXAMPLES.csv"),
    ],
    run_file: StorageOf = None,
    *,
    tags_table: Annotated[str, typer.Option(help="The table of tags.", metavar="TABLE")] = "tags",
    labels_table: LabelsTable = "labels",
    embeddings: Embeddings = "embeddings",
    bundle: BundleOf = "current",
    precision: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="Of what is accepted.", metavar="SHARE")
    ] = 0.9,
    html: Page = None,
    as_json: EndAsJson = False,
) -> None:
    """Learn tags from a few examples each, and find what has them."""
    with ending("tag", as_json=as_json) as (say, end):
        from lib.storage.config import storage_of
        from lib.storage.storage import Storage
        from pipelines.tag_catalog import Places, tag_catalog

        places = Places(
            examples=examples,
            tags_table=tags_table,
            labels_table=labels_table,
            embeddings=embeddings,
            bundle=bundle,
            html=html,
        )
        done = tag_catalog(places, precision, Storage(storage_of(run_file)), say)
        told = [each.to_json() for each in done.tagged]
        end.tell("tagged", done.sentence, tags=told, version=done.version, report=html)


if __name__ == "__main__":
    run(main)

"""Tag a catalog from a few examples: `python -m jobs.tag EXAMPLES.csv`."""

from typing import Annotated

import typer

from jobs.command import StorageOf, run
from jobs.ending import EndAsJson, ending


def main(
    examples: Annotated[
        str,
        typer.Argument(help="A CSV with the columns tag, item_id, holds.", metavar="EXAMPLES.csv"),
    ],
    run_file: StorageOf = None,
    *,
    tags_table: Annotated[str, typer.Option(help="The table of tags.", metavar="TABLE")] = "tags",
    labels_table: Annotated[
        str, typer.Option(help="The labels table.", metavar="TABLE")
    ] = "labels",
    embeddings: Annotated[
        str, typer.Option(help="The folder that keeps the embeddings.", metavar="FOLDER")
    ] = "embeddings",
    bundle: Annotated[
        str, typer.Option(help="The bundle of the embeddings' backbone.", metavar="BUNDLE")
    ] = "current",
    precision: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="Of what is accepted.", metavar="SHARE")
    ] = 0.9,
    html: Annotated[
        str | None, typer.Option(help="Write a page with the pictures.", metavar="FILE")
    ] = None,
    as_json: EndAsJson = False,
) -> None:
    """Learn tags from a few examples each, and find what has them."""
    with ending("tag", as_json=as_json) as (say, end):
        from lib.labels.promises import Accept
        from lib.labels.tags_table import TagsTable
        from lib.storage.config import storage_of
        from lib.storage.storage import Storage
        from pipelines.search import open_search
        from pipelines.tag import publish, read_examples, run_of, tag

        storage = Storage(storage_of(run_file))
        given = read_examples(examples, storage)
        searched = open_search(labels_table, embeddings, bundle, storage=storage)
        table, accept = TagsTable(tags_table, storage), Accept(precision=precision, mode="strict")
        run_id = run_of(given, searched, accept)
        before = table.has(run_id)
        tagged = tag(given, examples, searched.catalog, accept, say)
        version = publish(tagged, searched.catalog.items, table, run_id)
        if html is not None:
            from pipelines.tag_report import tag_report

            page = tag_report(tagged, run_id, searched.catalog.items, storage)
            storage.write(html, page.encode())
            say(f"page: {html}")
        what = "had these tags before" if before else "has them now"
        sentence = f"{len(tagged):,} tags: {tags_table} {what}, version {version}"
        say(sentence)
        told = [each.to_json() for each in tagged]
        end.tell("tagged", sentence, tags=told, version=version, report=html)


if __name__ == "__main__":
    run(main)

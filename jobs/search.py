"""Search a catalog by image, item or title: `python -m jobs.search QUERY`."""

from dataclasses import asdict
from typing import Annotated

import typer

from jobs.command import run
from jobs.ending import EndAsJson, ending
from jobs.options import BundleOf, Embeddings, LabelsTable, Page, StorageOf


def main(
    query: Annotated[
        str | None,
        typer.Argument(help="An image, by path or URI, or the id of an item.", metavar="QUERY"),
    ] = None,
    run_file: StorageOf = None,
    *,
    title: Annotated[
        str | None, typer.Option(help="Look for items that are called so.", metavar="TEXT")
    ] = None,
    labels_table: LabelsTable = "labels",
    embeddings: Embeddings = "embeddings",
    bundle: BundleOf = "current",
    names: Annotated[
        str | None, typer.Option(help="A manifest with the items' names.", metavar="MANIFEST")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="Show N items.", metavar="N")] = 20,
    category: Annotated[
        str | None, typer.Option(help="Only items of this category, or below it.", metavar="ID")
    ] = None,
    decision: Annotated[
        str | None, typer.Option(help="Only items with this decision.", metavar="DECISION")
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(help="Only items that score as much.", metavar="SCORE")
    ] = None,
    html: Page = None,
    as_json: EndAsJson = False,
) -> None:
    """Find what looks like an image or an item, or is called so."""
    if (query is None) == (title is None):
        raise typer.BadParameter("give either an image or an item, or --title")
    with ending("search", as_json=as_json) as (say, end):
        from lib.search.catalog import Asked
        from lib.storage.config import storage_of
        from lib.storage.storage import Storage
        from pipelines.search import open_search, search

        storage = Storage(storage_of(run_file))
        searched = open_search(labels_table, embeddings, bundle, names, storage)
        asked = Asked(top=top, category=category, decision=decision, min_score=min_score)
        hits = search(query, title, asked, searched, say)
        if html is not None:
            from pipelines.search_report import contact_sheet

            page = contact_sheet(query or title or "", hits, len(searched.catalog), storage)
            storage.write(html, page.encode())
            say(f"page: {html}")
        end.tell("found", f"{len(hits):,} found", hits=[asdict(hit) for hit in hits], report=html)


if __name__ == "__main__":
    run(main)

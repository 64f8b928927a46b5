"""Fit a new head from people's answers: `python -m jobs.review fit FOLDER`."""

from typing import Annotated

import typer

from jobs.ending import EndAsJson, ending
from jobs.options import Annotations, Embeddings, LabelsTable, StorageOf


def main(
    folder: Annotated[str, typer.Argument(help="Takes the new bundle.", metavar="FOLDER")],
    run_file: StorageOf = None,
    *,
    labels_table: LabelsTable = "labels",
    annotations: Annotations = None,
    embeddings: Embeddings = "embeddings",
    bundle: Annotated[
        str, typer.Option(help="The bundle whose head is replaced.", metavar="BUNDLE")
    ] = "current",
    catalog: Annotated[
        str | None,
        typer.Option(help="Labelled items beside the answers; the training's.", metavar="MANIFEST"),
    ] = None,
    as_json: EndAsJson = False,
) -> None:
    """Fit a new head on people's answers, and show what would change."""
    with ending("review fit", as_json=as_json) as (say, end):
        from lib.catalog.catalog import CatalogConfig
        from lib.storage.config import storage_of
        from lib.storage.storage import Storage
        from pipelines.review_fit import HeadToFit, fit_head

        wanted = HeadToFit(
            folder=folder,
            labels_table=labels_table,
            annotations=annotations,
            embeddings=embeddings,
            bundle=bundle,
            catalog=CatalogConfig(uri=catalog) if catalog else None,
        )
        fit = fit_head(wanted, Storage(storage_of(run_file)), say)
        end.tell("fitted", fit.sentences[0], **fit.to_json())

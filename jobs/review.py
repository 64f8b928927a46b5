"""People's answers: in, out, and what they teach: `python -m jobs.review export TASKS.json`."""

from typing import Annotated

import typer

from jobs import review_fit, review_publish
from jobs.command import new_app
from jobs.ending import EndAsJson, ending
from jobs.options import Annotations, LabelsBundle, LabelsTable, StorageOf

app = new_app()
app.command("fit")(review_fit.main)
app.command("publish")(review_publish.main)
ItemsFile = Annotated[str, typer.Argument(help="A .csv, or a .json of Label Studio.")]


@app.callback()
def review() -> None:
    """Take people's answers in and out, and learn from them."""


@app.command("export")
def export(
    file: ItemsFile,
    run_file: StorageOf = None,
    *,
    labels_table: LabelsTable = "labels",
    annotations: Annotations = None,
    bundle: LabelsBundle = "current",
    decision: Annotated[str, typer.Option(help="Only of this decision, or 'all'.")] = "review",
    category: Annotated[str | None, typer.Option(help="Only below it.", metavar="ID")] = None,
    order: Annotated[str, typer.Option(help="helpful, unsure, sure or random.")] = "helpful",
    embeddings: Annotated[str | None, typer.Option(help="Spread over looks, too.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="N at most.")] = None,
    as_json: EndAsJson = False,
) -> None:
    """Write items for people to answer elsewhere."""
    with ending("review export", as_json=as_json) as (say, end):
        from lib.storage.config import storage_of
        from lib.storage.storage import Storage
        from pipelines.review_exchange import Wanted, export_items, open_reviewed, order_of

        storage = Storage(storage_of(run_file))
        reviewed = open_reviewed(labels_table, annotations, bundle, storage)
        wanted = Wanted(decision=decision, category=category, order=order_of(order), most=limit,
                        embeddings=embeddings)  # fmt: skip
        count = export_items(reviewed, wanted, file, say)
        end.tell("exported", f"{count:,} items", items=count, file=file)


@app.command("import")
def import_(
    file: ItemsFile,
    run_file: StorageOf = None,
    *,
    labels_table: LabelsTable = "labels",
    annotations: Annotations = None,
    bundle: LabelsBundle = "current",
    by: Annotated[str | None, typer.Option(help="Who says what no file says who said.")] = None,
    as_json: EndAsJson = False,
) -> None:
    """Take in what people have answered elsewhere."""
    with ending("review import", as_json=as_json) as (say, end):
        from lib.storage.config import storage_of
        from lib.storage.storage import Storage
        from pipelines.publish_finished import user_name
        from pipelines.review_exchange import import_answers, open_reviewed

        storage = Storage(storage_of(run_file))
        reviewed = open_reviewed(labels_table, annotations, bundle, storage)
        taken = import_answers(reviewed, file, by or user_name(), say)
        count = taken.annotations.num_rows
        end.tell("imported", f"{count:,} answers", answers=count, refused=taken.refused)


if __name__ == "__main__":
    app()

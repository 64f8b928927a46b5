"""The command `reshelve`: one subcommand a job."""

import importlib.metadata
from typing import Annotated

import typer

from jobs import (
    backfill,
    check,
    classify,
    clean,
    demo,
    desk,
    discover,
    embed,
    evaluate,
    history,
    index,
    match,
    predict,
    publish,
    review,
    search,
    status,
    submit,
    tag,
    taxonomy,
    train,
)
from jobs.command import new_app

app = new_app(completion=True)


def _say_version(value: bool) -> None:  # noqa: FBT001  # typer calls it so
    if value:
        typer.echo(f"reshelve {importlib.metadata.version('reshelve')}")
        raise typer.Exit


@app.callback()
def reshelve(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_say_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Keep an image catalog on the right shelves."""


app.command("discover")(discover.main)
app.command("check")(check.main)
app.command("train")(train.main)
app.command("classify")(classify.main)
app.command("predict")(predict.main)
app.command("evaluate")(evaluate.main)
app.command("backfill")(backfill.main)
app.command("embed")(embed.main)
app.command("index")(index.main)
app.command("search")(search.main)
app.command("match")(match.main)
app.command("publish")(publish.main)
app.add_typer(review.app, name="review")
app.command("history")(history.main)
app.command("clean")(clean.main)
app.command("status")(status.main)
app.command("submit")(submit.main)
app.command("tag")(tag.main)
app.add_typer(taxonomy.app, name="taxonomy")
app.command("desk")(desk.main)
app.command("demo")(demo.main)

if __name__ == "__main__":
    app()

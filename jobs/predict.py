"""Say what is on single images: `python -m jobs.predict IMAGE... --bundle BUNDLE`."""

import json
from typing import Annotated

import typer

from jobs.command import reporting, run
from jobs.options import AsJson, Embeddings, StorageOf


def main(
    images: Annotated[list[str], typer.Argument(help="Files or URIs.", metavar="IMAGE...")],
    run_file: StorageOf = None,
    *,
    bundle: Annotated[str, typer.Option(help="The folder of the bundle.", metavar="BUNDLE")],
    top: Annotated[int, typer.Option(min=1, help="Show the N likeliest.", metavar="N")] = 5,
    labels_table: Annotated[
        str | None, typer.Option(help="Show the nearest items of this table.", metavar="TABLE")
    ] = None,
    embeddings: Embeddings = "embeddings",
    as_json: AsJson = False,
) -> None:
    """Say what is on single images, without Ray."""
    with reporting() as say:
        from lib.errors import InputError
        from lib.inference.classifier import Classifier
        from lib.storage.config import storage_of
        from lib.storage.storage import Storage

        storage = Storage(storage_of(run_file))
        classifier = Classifier.load(bundle, storage)
        among = None
        if labels_table is not None:
            from lib.inference.neighbours import LabelledItems

            among = LabelledItems.open(labels_table, embeddings, classifier.bundle, storage)
        found = classifier.predict(images, among)
        for line in [line for each in found if not each.error for line in each.lines(top)]:
            if not as_json:
                say(line)
        if as_json:
            told = {"bundle": bundle, "images": [each.to_json(top) for each in found]}
            say(json.dumps(told, ensure_ascii=False))
        if unseen := [each.problem for each in found if each.error]:
            others = "image" if len(unseen) == 2 else "images"
            more = f"; and {len(unseen) - 1} more {others} cannot be classified" * bool(unseen[1:])
            raise InputError(f"{unseen[0]}{more}")


if __name__ == "__main__":
    run(main)

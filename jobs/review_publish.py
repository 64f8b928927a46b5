"""Let a labels table show people's answers: `python -m jobs.review publish`."""

from typing import Annotated

import typer

from jobs.ending import EndAsJson, ending
from jobs.options import Annotations, LabelsTable, StorageOf


def main(
    run_file: StorageOf = None,
    *,
    labels_table: LabelsTable = "labels",
    annotations: Annotations = None,
    by: Annotated[str | None, typer.Option(help="Who does it, for the history.")] = None,
    as_json: EndAsJson = False,
) -> None:
    """Publish people's answers at once, and not with the next night."""
    with ending("review publish", as_json=as_json) as (say, end):
        from lib.labels.annotations import annotations_of
        from lib.storage.config import storage_of
        from lib.storage.storage import Storage
        from pipelines.publish_answers import publish_answers
        from pipelines.publish_finished import user_name

        storage, answers = (
            Storage(storage_of(run_file)),
            annotations or annotations_of(labels_table),
        )
        version = publish_answers(labels_table, answers, storage, by or user_name(), say)
        sentence = f"{labels_table} shows all answers already"
        if version is not None:
            sentence = f"{labels_table} shows the answers in its version {version}"
        say(sentence)
        end.tell("published" if version is not None else "unchanged", sentence, version=version)

"""The arguments and options that several commands have, spelled once."""

from pathlib import Path
from typing import Annotated

import typer

RunFile = Annotated[Path, typer.Argument(help="The run file.", metavar="RUN.yaml")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be done and how long it takes.")
]
Publish = Annotated[
    bool, typer.Option("--publish/--no-publish", help="Publish the labels of the run.")
]
StorageOf = Annotated[
    Path | None, typer.Option(help="Take the 'storage' of this run file.", metavar="RUN.yaml")
]
LabelsTable = Annotated[str, typer.Option(help="The labels table.", metavar="TABLE")]
Annotations = Annotated[
    str | None,
    typer.Option(help="The table of answers; beside the labels table.", metavar="TABLE"),
]
Embeddings = Annotated[
    str, typer.Option(help="The folder that keeps the embeddings.", metavar="FOLDER")
]
BundleOf = Annotated[
    str, typer.Option(help="The bundle of the embeddings' backbone.", metavar="BUNDLE")
]
LabelsBundle = Annotated[str, typer.Option(help="The bundle of its labels.", metavar="BUNDLE")]
Page = Annotated[str | None, typer.Option(help="Write a page with the pictures.", metavar="FILE")]
RunFolder = Annotated[str, typer.Argument(help="The folder of the run.", metavar="RUN")]
AsJson = Annotated[bool, typer.Option("--json", help="Say it as one line of JSON.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="Override a key of RUN.yaml.", metavar="A.B=VALUE")
]

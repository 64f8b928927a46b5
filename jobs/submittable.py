"""Which jobs can be submitted to a cluster, and what is shipped with them."""

from importlib import import_module
from pathlib import Path

from typer.main import get_command

from jobs.command import new_app
from lib.config.config import load_run_file, merge_run_file
from lib.errors import InputError
from lib.storage.config import StorageSection
from lib.storage.uris import protocol_of

# the run file's model of each job that has one; some take seconds to import
RUN_FILES = {
    "backfill": ("pipelines.backfill_inputs", "BackfillRun"),
    "check": ("pipelines.train_config", "TrainRun"),
    "classify": ("pipelines.classify", "ClassifyRun"),
    "discover": ("pipelines.discover_inputs", "DiscoverRun"),
    "embed": ("pipelines.embed", "EmbedRun"),
    "evaluate": ("pipelines.evaluate_inputs", "EvaluateRun"),
    "match": ("pipelines.match_inputs", "MatchRun"),
    "train": ("pipelines.train_config", "TrainRun"),
}
# jobs that take the storage of any run file, and all else from the command line
COMMANDS = ("index", "tag")
# where jobs write to, or what their commands name
PLACES = (
    *("output", "labels_table", "tags_table", "html"),
    *("embeddings", "right_embeddings", "examples"),
)


def read_run_file(job: str, run_file: Path, settings: list[str], options: list[str]) -> str:
    """Return the text of a run file as it is shipped, once it is known to be valid.

    Raises:
        InputError: there is no such job, the run file is not valid, or its results would be lost.
    """
    if job not in {*RUN_FILES, *COMMANDS}:
        known = sorted({*RUN_FILES, *COMMANDS})
        raise InputError(f"'{job}' cannot be submitted; expected one of: {', '.join(known)}")
    if any(option.startswith("--set") for option in options):
        # what is set may be a secret, and a job's command is shown to all who see the cluster
        raise InputError("--set goes before the '--', so that it travels inside the run file")
    if job in COMMANDS:
        load_run_file(StorageSection, run_file, settings)
        _check_shared(_arguments(job, options), f"reshelve {job}")
    else:
        module, model = RUN_FILES[job]
        config = load_run_file(getattr(import_module(module), model), run_file, settings)
        _check_shared(dict(config), str(run_file))
    return merge_run_file(run_file, settings)


def _arguments(job: str, options: list[str]) -> dict[str, object]:
    """Return what a command line gives to a job, by name; a wrong one ends as it would there."""
    app = new_app()
    app.command()(import_module(f"jobs.{job}").main)
    given = get_command(app).make_context(f"reshelve {job}", [*options]).params
    if given["run_file"] is not None:
        raise InputError("--run-file is the run file before the '--'; name it once")
    return given


def _check_shared(given: dict[str, object], source: str) -> None:
    """Refuse what lies in a folder that is another on each node."""
    for key in PLACES:
        place = given.get(key)  # some jobs write no such thing
        if (
            isinstance(place, str)
            and protocol_of(place) == "file"
            and not Path(place).is_absolute()
        ):
            raise InputError(
                f"{source}: '{key}' is '{place}', a folder that a cluster's nodes do not "
                "share; give a store, as s3://bucket/runs, or an absolute path that all nodes have"
            )

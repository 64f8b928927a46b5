"""A backfill's dry run: how many rows take each route, and how long it would take."""

import tempfile
import time
from pathlib import Path

from lib.runs.ending import Ending
from lib.runs.progress import duration, stage
from lib.runs.run import Run
from lib.storage.storage import Storage
from lib.taxonomy.migration import migrate
from pipelines.backfill import make_head
from pipelines.backfill_inputs import BackfillRun, read_inputs, unit_job
from pipelines.backfill_plan import plan, route_files
from pipelines.classify_dry_run import seconds_ahead
from pipelines.steps import Say


def estimate(config: BackfillRun, say: Say, ending: Ending | None = None) -> None:
    """Say what a backfill would do, and how long it would take; write nothing.

    The head is fitted as the backfill would, so that what it lacks is said now.

    Args:
        config: the run file.
        say: takes each line for the person who waits.
        ending: learns what the lines say, or None.

    Raises:
        InputError: something given cannot be used.
    """
    storage = Storage(config.storage)
    move, labelled = read_inputs(config, storage, say)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        planned = plan(move, config.engine.unit_size, Path(folder), say)
        say(planned.routes.sentence)
        fitted = make_head(move, labelled, say)
        seconds = time.monotonic() - started
        with stage(say, "trying it on a few rows"):
            from lib.backfill.head_bundle import carry_head  # noqa: PLC0415  # torch takes seconds to import
            from pipelines.backfill_sample import time_sample  # noqa: PLC0415  # as above

            taxonomies = migrate([move.head.taxonomy]) if move.head else move.migration
            bundle = move.head or move.bundle
            head = fitted.head if fitted else carry_head(bundle, taxonomies, storage)
            seconds += time_sample(planned, head, move.migration, Path(folder), storage)
        if planned.routes.pixels:
            job = unit_job(config, Run("", "", storage), bundle)
            pixels = route_files(Path(folder)).pixels
            seconds += seconds_ahead(job, pixels, planned.routes.pixels, say)
    say(f"about {duration(seconds)} in all, by a sample\nnothing was written")
    if ending:
        routes = planned.routes
        by = {"by_rule": routes.rule, "by_model": routes.model, "by_pixels": routes.pixels}
        ending.tell("planned", routes.sentence, items=routes.rows, **by, seconds=seconds)

"""A backfill's dry run: how many rows take each route, and how long it would take."""

import tempfile
import time
from pathlib import Path

import pyarrow as pa
import torch
from pyarrow import parquet

from lib.backfill.head_bundle import NewHead, carry_head
from lib.backfill.relabel import Relabeller
from lib.backfill.score_unit import Scorer
from lib.embeddings.index import PlacedReader
from lib.embeddings.store import store_file
from lib.labels.decisions import Decider
from lib.runs.ending import Ending
from lib.runs.progress import duration
from lib.runs.run import Run
from lib.schemas import LABELS_SCHEMA
from lib.storage.storage import Storage
from lib.taxonomy.migration import Migration
from pipelines.backfill import BackfillRun, make_head, read_move, unit_job
from pipelines.backfill_fit import read_labelled
from pipelines.backfill_plan import BackfillPlan, plan, route_files
from pipelines.backfill_score import cores
from pipelines.steps import Say

SAMPLE_ROWS = 8_192


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
    move = read_move(config, storage)
    labelled = read_labelled(config.labelled, move.table, move.migration, storage)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        planned = plan(move, config.engine.unit_size, Path(folder))
        say(planned.routes.sentence)
        fitted = make_head(move, labelled, say)
        head = fitted.head if fitted else carry_head(move.bundle, move.migration, storage)
        seconds = time.monotonic() - started
        seconds += time_sample(planned, head, move.migration, Path(folder), storage)
        if planned.routes.pixels:
            from pipelines.classify_missing import seconds_ahead  # noqa: PLC0415  # Ray Data takes seconds to import

            job = unit_job(config, Run("", "", storage), move.bundle)
            seconds += seconds_ahead(job, route_files(Path(folder)).pixels, planned.routes.pixels)
    say(f"about {duration(seconds)} in all, by a sample\nnothing was written")
    if ending:
        routes = planned.routes
        by = {"by_rule": routes.rule, "by_model": routes.model, "by_pixels": routes.pixels}
        ending.tell("planned", routes.sentence, items=routes.rows, **by, seconds=seconds)


def time_sample(
    planned: BackfillPlan, new: NewHead, migration: Migration, folder: Path, storage: Storage
) -> float:
    """Relabel a few rows of each route; return the seconds that all of them would take."""
    routes = planned.routes
    file = parquet.ParquetFile(route_files(folder).plan)
    head = new.head
    decider = Decider(
        taxonomy=migration.new,
        category_ids=head.leaves,
        threshold=new.threshold,
        thresholds=new.thresholds,
    )
    seconds = 0.0
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    if routes.rule_units:
        rows = next(file.iter_batches(SAMPLE_ROWS, row_groups=[0]))
        before = time.perf_counter()
        relabeller = Relabeller(migration, decider)
        relabeller.relabel(pa.Table.from_batches([rows]).select(LABELS_SCHEMA.names))
        seconds += (time.perf_counter() - before) * routes.rule / rows.num_rows
    if routes.model_units:
        rows = next(file.iter_batches(SAMPLE_ROWS, row_groups=[routes.rule_units]))
        before = time.perf_counter()
        stored = [store_file(uri, storage) for uri in planned.embeddings]
        for some in PlacedReader(stored, head.weight.shape[1]).read(rows["place"].to_numpy()):
            Scorer(head, decider).score(some)
        seconds += (time.perf_counter() - before) * routes.model / rows.num_rows
    torch.set_num_threads(threads)
    return seconds / cores()

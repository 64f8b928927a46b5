"""How fast this machine relabels: a few rows of each route, timed."""

import time
from pathlib import Path

import pyarrow as pa
import torch
from pyarrow import parquet

from lib.backfill.head_bundle import NewHead
from lib.backfill.relabel import Relabeller
from lib.backfill.score_unit import Scorer
from lib.embeddings.index import PlacedReader
from lib.embeddings.store import store_file
from lib.labels.decisions import Decider
from lib.names.labeller import Labeller
from lib.schemas import as_labels
from lib.storage.storage import Storage
from lib.taxonomy.migration import Migration
from pipelines.backfill_plan import BackfillPlan, route_files
from pipelines.backfill_score import cores

SAMPLE_ROWS = 8_192


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
        relabeller.relabel(as_labels(pa.Table.from_batches([rows])))
        seconds += (time.perf_counter() - before) * routes.rule / rows.num_rows
    if routes.model_units:
        rows = next(file.iter_batches(SAMPLE_ROWS, row_groups=[routes.rule_units]))
        before = time.perf_counter()
        stored = [store_file(uri, storage) for uri in planned.embeddings]
        scorer, start = Scorer(head, decider, labeller_by(new, decider)), 0
        names = as_labels(pa.Table.from_batches([rows]))["name"]
        for some in PlacedReader(stored, head.weight.shape[1]).read(rows["place"].to_numpy()):
            scorer.score(some, names.slice(start, len(some)))
            start += len(some)
        seconds += (time.perf_counter() - before) * routes.model / rows.num_rows
    torch.set_num_threads(threads)
    return seconds / cores()


def labeller_by(new: NewHead, decider: Decider) -> Labeller | None:
    """Return what decides by names, too; it takes as long whatever the thresholds are."""
    if new.names is None:
        return None
    info = new.names.info
    return Labeller(
        names=new.names.classifier(new.head.leaves),
        weights=(info.image_weight, info.name_weight),
        image=decider,
        both=decider,
        alone=None,
    )

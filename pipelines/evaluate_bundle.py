"""What a bundle says of labelled items: classified as a night would, or cross-validated."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from lib.batches import regroup
from lib.embeddings.store import EMBEDDING, Embeddings, to_matrix
from lib.errors import InputError, ReshelveError
from lib.evaluation.predictions import Answered, Ints, make_predictions
from lib.inference.config import UnitJob
from lib.models.bundle import Bundle
from lib.models.int8 import Probabilities
from lib.reasons import ErrorItem
from lib.runs import files
from lib.runs.metrics_log import UnitFigures
from lib.runs.plan import Plan
from lib.runs.run import Run
from lib.runs.shards import finished_units, read_embeddings, read_shards
from lib.schemas import ITEM_SCHEMA
from pipelines.classify_missing import classify_left
from pipelines.evaluate_inputs import EvaluateRun
from pipelines.steps import Say


@dataclass(frozen=True)
class Seen:
    """Items that a backbone has seen.

    Attributes:
        items: n items that could be read, columns of `ITEM_SCHEMA`.
        embeddings: float16 [n, d].
        labels: their rows, of `LABELS_SCHEMA`, by the bundle's own head and thresholds.
        left_out: the items that could not be read.
    """

    items: pa.Table
    embeddings: Embeddings
    labels: pa.Table
    left_out: list[ErrorItem]


def see(run: Run, bundle: Bundle, items: pa.Table, config: EvaluateRun, say: Say) -> Seen:
    """Classify labelled items in units, as a classification does; what is done is not done again.

    Args:
        run: takes plan, shards and embeddings.
        bundle: classifies them.
        items: columns of `ITEM_SCHEMA`.
        config: says how, and how their images are read.
        say: takes each line for the person who waits.

    Raises:
        ReshelveError: a unit failed as a whole, or no image can be read.
    """
    if not run.exists(files.PLAN):
        run.write(files.PLAN, _to_plan(items, config.engine.unit_size))
    plan = Plan(run)
    figures = UnitFigures(run, plan.items, plan.count(finished_units(run)))
    job = UnitJob(
        run=run,
        bundle_uri=bundle.uri,
        engine=config.engine,
        reading=config.reading,
        embeddings=True,
        by_name=False,
    )
    classify_left(job, figures, say)
    figures.close()
    return _read(run, plan, items)


def _to_plan(items: pa.Table, unit_size: int) -> bytes:
    file = BytesIO()
    kept = {"compression": "zstd", "write_page_checksum": True}
    with parquet.ParquetWriter(file, ITEM_SCHEMA, **kept) as writer:
        for unit in regroup(items.to_batches(), unit_size):
            writer.write_batch(unit)
    return file.getvalue()


def _read(run: Run, plan: Plan, items: pa.Table) -> Seen:
    rows = pa.concat_tables([rows for _, rows in read_shards(run, plan.units)])
    usable = pc.is_null(rows["error"])
    left_out = [
        ErrorItem(
            item_id=row["item_id"], uri=row["uri"], code=row["error"], detail=row["error_detail"]
        )
        for row in rows.filter(pc.invert(usable)).to_pylist()
    ]
    if len(left_out) == rows.num_rows:
        first = left_out[0]
        raise ReshelveError(
            f"none of the {rows.num_rows:,} labelled images can be read; the first: {first.uri}: "
            f"{first.detail}"
        )
    kept = pa.concat_tables(list(read_embeddings(run, plan.units)))
    embeddings = to_matrix(kept[EMBEDDING].combine_chunks())
    return Seen(items.filter(usable), embeddings, rows.filter(usable), left_out)


def answer(seen: Seen, bundle: Bundle, run: Run, *, own: bool) -> Answered:
    """Return what a bundle's own head says, beside the items' names where the bundle uses them.

    Args:
        seen: by its backbone.
        bundle: whose head is asked.
        run: says how to reach it.
        own: whether the labels in `seen` are this bundle's.
    """
    import torch  # noqa: PLC0415  # takes seconds

    from lib.models.head import read_head  # noqa: PLC0415  # as above
    from lib.names.labeller import labeller_of  # noqa: PLC0415  # as above

    head = read_head(bundle, run.storage, torch.device("cpu"))
    found = head.probabilities(torch.from_numpy(seen.embeddings.copy())).numpy()
    if named := labeller_of(bundle, run.storage).read(seen.items["name"].to_pylist()):
        found = named.fused(range(len(found)), found)
    decided = seen.labels if own else None
    predictions = make_predictions(seen.items, bundle.info.leaves, found, decided=decided)
    return Answered(predictions, seen.left_out)


def cross_validate(seen: Seen, bundle: Bundle, folds: int, source: str) -> Answered:
    """Return what heads say that were fitted on the other folds, on one frozen backbone.

    Leaves of which no item is labelled have no probability.

    Args:
        seen: by the backbone.
        bundle: whose leaves the probabilities are of.
        folds: how many.
        source: the catalog, for the error.

    Raises:
        InputError: a category has one item alone.
    """
    import torch  # noqa: PLC0415  # takes seconds

    from lib.heads.choice import choose_head  # noqa: PLC0415  # as above
    from lib.heads.folds import assign_folds  # noqa: PLC0415  # as above

    labels = seen.items["category_id"].to_pylist()
    check_enough(labels, source)
    leaves = bundle.info.leaves
    there = sorted(set(labels), key=leaves.index)
    targets = [there.index(each) for each in labels]
    fold_of = assign_folds(seen.items["item_id"].to_pylist(), targets, folds)
    vectors = torch.from_numpy(seen.embeddings.copy())
    best, *_ = choose_head(vectors, torch.tensor(targets), fold_of, len(there))
    probabilities = np.zeros((len(labels), len(leaves)), np.float32)
    probabilities[:, [leaves.index(each) for each in there]] = calibrate_folds(
        best.logits.numpy(), np.array(targets), fold_of.numpy()
    )
    predictions = make_predictions(seen.items, leaves, probabilities, folds=fold_of.numpy())
    return Answered(predictions, seen.left_out)


def check_enough(labels: Sequence[str], source: str) -> None:
    """Refuse to cross-validate where a category has one item alone.

    Args:
        labels: category ids of the items.
        source: the catalog, for the error.

    Raises:
        InputError: names the categories.
    """
    lonely = sorted(each for each, count in Counter(labels).items() if count < 2)
    if lonely:
        more = f" and {len(lonely) - 5} more" if len(lonely) > 5 else ""
        raise InputError(
            f"{source}: only one labelled item that can be read of "
            f"{', '.join(repr(each) for each in lonely[:5])}{more}; 'folds' needs two of each "
            "category: label another, or leave 'folds' out"
        )


def calibrate_folds(logits: Probabilities, targets: Ints, folds: Ints) -> Probabilities:
    """Scale each fold's logits by a temperature of the other folds, and make them probabilities.

    Args:
        logits: float32 [n, categories], of heads that have not seen the item's fold.
        targets: int64 [n], columns of the categories.
        folds: int64 [n].
    """
    import torch  # noqa: PLC0415  # takes seconds

    from lib.evaluation.calibration import fit_temperature  # noqa: PLC0415  # as above

    scores, truth = torch.from_numpy(logits), torch.from_numpy(targets)
    found = torch.empty_like(scores)
    for fold in np.unique(folds):
        held_out = torch.from_numpy(folds == fold)
        temperature = fit_temperature(scores[~held_out], truth[~held_out])
        found[held_out] = torch.softmax(scores[held_out] / temperature, dim=1)
    probabilities: Probabilities = found.numpy()
    return probabilities

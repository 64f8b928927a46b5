"""One unit of a backfill, from its rows to its part: by rule, or by a head on embeddings."""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from lib.backfill.relabel import DECIDED, Relabeller
from lib.embeddings.index import PlacedReader
from lib.embeddings.store import Embeddings, store_file
from lib.labels.decisions import TOP_K, Decider, Floats, Ints
from lib.models.bundle import Bundle, read_bundle
from lib.models.head import Head, read_head
from lib.names.labeller import Labeller, labeller_of
from lib.runs.answers import read_answers
from lib.runs.compaction import check_rows, part_path
from lib.runs.plan import Plan
from lib.runs.receipt import Receipt
from lib.runs.run import Run
from lib.runs.shards import with_receipt
from lib.schemas import LABELS_SCHEMA, as_labels
from lib.storage.storage import Storage
from lib.taxonomy.migration import Migration

CHUNK_ROWS = 2_048  # of probabilities held at a time
# of the probabilities that are made at a time: they stay in the core's cache, and of 1,001 leaves
# the product takes a third less time than for a whole chunk
CACHED_BYTES = 2**19


@dataclass(frozen=True, kw_only=True)
class ScoreJob:
    """What all units of a backfill have in common; travels to its workers.

    Attributes:
        run: the run; its plan is of `ROUTED_SCHEMA`.
        bundle_uri: the new bundle.
        migration: from the old taxonomy to the new bundle's.
        rule_units: so many units, the first of the plan, are settled by rule.
        embeddings: URIs of the store's files, as the plan's places count them.
        answers: how many answers of people the run's folder has.
    """

    run: Run
    bundle_uri: str
    migration: Migration
    rule_units: int
    embeddings: tuple[str, ...]
    answers: int = 0


@dataclass(frozen=True)
class Scorer:
    """A head and what is decided by it; and by names, where the labeller uses them."""

    head: Head
    decider: Decider
    labeller: Labeller | None = None

    def score(self, embeddings: Embeddings, names: pa.ChunkedArray | None = None) -> pa.Table:
        """Decide on items.

        Args:
            embeddings: float16 [n, d].
            names: n titles; None: of none is a name known.

        Returns:
            Columns as `Decider.decide`, n rows.
        """
        vectors, start, found = torch.from_numpy(embeddings), 0, []
        chunk = torch.empty(min(CHUNK_ROWS, len(vectors)), len(self.head.leaves))
        for some in vectors.split(CHUNK_ROWS):
            titles = None if names is None else names.slice(start, len(some)).to_pylist()
            found.append(self._decide(some, chunk, titles))
            start += len(some)
        return pa.concat_tables(found)

    def _decide(
        self, vectors: torch.Tensor, chunk: torch.Tensor, names: list[str | None] | None
    ) -> pa.Table:
        """Decide on vectors, by way of the first rows of `chunk`."""
        size = max(1, CACHED_BYTES // (4 * chunk.shape[1]))
        probabilities = chunk[: len(vectors)]
        with torch.inference_mode():
            for block, made in zip(vectors.split(size), probabilities.split(size), strict=True):
                made.copy_(self.head.probabilities(block))
            if self.labeller and names and (named := self.labeller.read(names)):
                fused = named.fused(range(len(names)), probabilities.numpy())
                return self.labeller.decide(fused, named.says)
            order, values = best_of(probabilities)
        return self.decider.decide_among(order, values, probabilities.numpy())


def scorer_of(bundle: Bundle, storage: Storage) -> Scorer:
    """Return what a bundle decides by.

    Raises:
        InputError: the bundle is damaged.
    """
    head = read_head(bundle, storage, torch.device("cpu"))
    labeller = labeller_of(bundle, storage)
    return Scorer(head, bundle.decider, labeller if labeller.names else None)


class UnitScorer:
    """Holds the head and open files, and relabels one unit after another; for one thread."""

    def __init__(self, job: ScoreJob) -> None:
        """Read the head."""
        self._job, storage = job, job.run.storage
        self._bundle = read_bundle(job.bundle_uri, storage)
        self._scorer = scorer_of(self._bundle, storage)
        self._relabeller = Relabeller(job.migration, self._scorer.decider)
        self._dimensions = self._scorer.head.weight.shape[1]
        files = [store_file(uri, storage) for uri in job.embeddings]
        self._reader = PlacedReader(files, self._dimensions)
        self._plan = Plan(job.run)
        self._answers = read_answers(job.run, job.answers, self._bundle.taxonomy)

    def run(self, unit: int) -> Receipt:
        """Relabel a unit of the plan and write its part, with one atomic PUT.

        Raises:
            ReshelveError: a file of the store cannot be read, or is another backbone's.
        """
        started = time.perf_counter()
        rows = self._plan.read(unit)
        if unit < self._job.rule_units:
            labels, read_s = self._relabeller.relabel(as_labels(rows)), 0.0
        else:
            labels = as_labels(rows)
            decided, read_s = self._score(rows["place"].to_numpy(), labels["name"])
            for name in DECIDED:
                place = labels.schema.get_field_index(name)
                labels = labels.set_column(place, LABELS_SCHEMA.field(name), decided[name])
        labels = self._answers.lay_over(self._stamp(labels))
        check_rows(rows["item_id"], labels, unit)
        receipt = self._receipt(unit, labels, read_s, time.perf_counter() - started)
        self._job.run.write(part_path(unit), with_receipt(labels, receipt))
        return receipt

    def _score(self, places: Ints, names: pa.ChunkedArray) -> tuple[pa.Table, float]:
        """Return what is said of the embeddings at these places, and seconds of reading."""
        found, read_s, start = [], 0.0, 0
        before = time.perf_counter()
        for embeddings in self._reader.read(places):
            read_s += time.perf_counter() - before
            found.append(self._scorer.score(embeddings, names.slice(start, len(embeddings))))
            start += len(embeddings)
            before = time.perf_counter()
        return pa.concat_tables(found), read_s

    def _stamp(self, labels: pa.Table) -> pa.Table:
        """Say who has made the labels; an error is as old as it was."""
        count = labels.num_rows
        now = pa.repeat(pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC")), count)
        error = labels["error"].is_valid()
        stamps = {
            "bundle_digest": pa.repeat(self._bundle.digest, count),
            "taxonomy_version": pa.repeat(self._bundle.taxonomy.version, count),
            "run_id": pa.repeat(self._job.run.run_id, count),
            "classified_at": pc.if_else(error, labels["classified_at"], now),
        }
        columns = [stamps.get(name, labels[name]) for name in LABELS_SCHEMA.names]
        return pa.table(columns, schema=LABELS_SCHEMA)

    def _receipt(self, unit: int, labels: pa.Table, read_s: float, seconds: float) -> Receipt:
        errors = Counter(labels["error"].drop_null().to_pylist())
        by_rule = unit < self._job.rule_units
        return Receipt(
            unit=unit,
            items=labels.num_rows,
            labelled=labels.num_rows - errors.total(),
            errors=dict(errors),
            decisions={
                each["values"]: each["counts"]
                for each in labels["decision"].value_counts().to_pylist()
            },
            bytes_fetched=0 if by_rule else 2 * self._dimensions * labels.num_rows,
            retries=0,
            fetch_s=read_s,
            decode_s=0.0,
            forward_s=0.0 if by_rule else seconds - read_s,
            seconds=seconds,
            engine="by rule" if by_rule else f"embeddings, torch {torch.__version__}, cpu, fp32",
        )


def best_of(probabilities: torch.Tensor) -> tuple[Ints, Floats]:
    """Return the columns and values of the best leaves, the first among equals first.

    Args:
        probabilities: float32 [n, leaves].
    """
    k = min(TOP_K, probabilities.shape[1])
    top = torch.topk(probabilities, k, dim=1)
    values: Floats = top.values.numpy()
    order: Ints = top.indices.numpy()
    # which of equals come first is torch's own affair; here it is the first column
    rows = np.flatnonzero((np.diff(values, axis=1) == 0).any(axis=1))
    place = np.lexsort((order[rows], -values[rows]), axis=1)
    order[rows] = np.take_along_axis(order[rows], place, axis=1)
    return order, values

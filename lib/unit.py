"""One unit, from its items to its shard: prepare, classify, decide, write."""

import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from lib import embeddings
from lib.attempts import is_first_attempt
from lib.bundle import read_bundle
from lib.careful import CarefulPreparer
from lib.decisions import Decider, Decision
from lib.engine import UnitJob
from lib.inference import Predicted, Predictor, Probabilities
from lib.labels import LABELS_SCHEMA
from lib.network import Networks
from lib.plan import Plan
from lib.prepare import Prepared, Preparer
from lib.reasons import ItemError
from lib.receipt import Receipt
from lib.shards import write_shard
from lib.storage import Storage


@dataclass(frozen=True)
class Classified:
    """A unit's rows, of `LABELS_SCHEMA`, the embeddings of those without an error, the receipt."""

    rows: pa.Table
    embeddings: pa.Table
    receipt: Receipt


class UnitClassifier:
    """Holds the model and the connections, and classifies one unit after another."""

    def __init__(self, job: UnitJob) -> None:
        """Load the bundle and warm the model up."""
        torch.set_num_threads(job.threads)
        self._job = job
        self._storage = Storage(job.storage)
        self._bundle = read_bundle(job.bundle_uri, self._storage)
        info = self._bundle.info
        self._predictor = Predictor(
            self._bundle,
            Networks(
                self._bundle,
                self._storage,
                device=job.device,
                runtime=job.runtime,
                threads=job.threads,
            ),
            precision=job.precision,
            batch=job.batch_size,
        )
        self._decider = Decider(
            taxonomy=self._bundle.taxonomy,
            category_ids=info.category_ids,
            threshold=info.threshold,
        )
        self._preparer = Preparer(info.preprocessing, job.reading, job.storage)
        self._plan = Plan(job.plan_uri, self._storage)

    def run(self, unit: int) -> Receipt:
        """Classify a unit of the plan and write its shard; with care if it ended badly before."""
        job = self._job
        careful = not is_first_attempt(job.run_uri, unit, job.command, self._storage)
        done = self.embed(self._plan.read(unit), unit, careful=careful)
        if job.embeddings and done.embeddings.num_rows:
            embeddings.write_shard(job.run_uri, self._storage, unit, done.embeddings)
        write_shard(job.run_uri, self._storage, done.rows, done.receipt)
        return done.receipt

    def classify(
        self, items: pa.Table, unit: int = 0, *, careful: bool = False
    ) -> tuple[pa.Table, Receipt]:
        """Give the rows and the receipt alone, as `embed`."""
        done = self.embed(items, unit, careful=careful)
        return done.rows, done.receipt

    def embed(self, items: pa.Table, unit: int = 0, *, careful: bool = False) -> Classified:
        """Classify items, and keep the embeddings that their labels follow from.

        Args:
            items: with the columns of `ITEM_SCHEMA`.
            unit: the number that stands in the receipt.
            careful: decode each image in a process of its own, since one may kill this one.

        Returns:
            One row an item, in the items' order, the embeddings and the receipt.

        Raises:
            StuckError: an image may never end to decode; does not happen with care.
        """
        started = time.perf_counter()
        prepared: list[Prepared] = []
        pixels: list[torch.Tensor] = []
        found: list[Predicted] = []
        forward_s = 0.0
        retries = self._preparer.retries.spent
        preparer = CarefulPreparer(self._preparer) if careful else self._preparer
        for each in preparer.stream(items["uri"].to_pylist(), items["etag"].to_pylist()):
            if each.pixels is not None:
                pixels.append(each.pixels)
            prepared.append(replace(each, pixels=None))
            if pixels and (len(pixels) == self._job.batch_size or len(prepared) == items.num_rows):
                before = time.perf_counter()
                found.append(self._predictor.predict(torch.stack(pixels)))
                forward_s += time.perf_counter() - before
                pixels.clear()
        found = found or [self._predictor.nothing]
        probabilities = np.concatenate([each.probabilities for each in found])
        rows = self._to_rows(items, [each.error for each in prepared], probabilities)
        usable = items.filter(pa.array([each.error is None for each in prepared], pa.bool_()))
        kept = embeddings.to_table(
            usable["uri"], usable["etag"], np.concatenate([each.embeddings for each in found])
        )
        errors = Counter(str(each.error.reason) for each in prepared if each.error)
        receipt = Receipt(
            unit=unit,
            items=items.num_rows,
            labelled=items.num_rows - errors.total(),
            errors=dict(errors),
            decisions=dict(Counter(rows["decision"].to_pylist())),
            retries=self._preparer.retries.spent - retries,
            bytes_fetched=sum(each.bytes_fetched for each in prepared),
            fetch_s=sum(each.fetch_s for each in prepared),
            decode_s=sum(each.decode_s for each in prepared),
            forward_s=forward_s,
            seconds=time.perf_counter() - started,
            engine=self._predictor.description,
        )
        return Classified(rows, kept, receipt)

    def _to_rows(
        self,
        items: pa.Table,
        errors: list[ItemError | None],
        probabilities: Probabilities,
    ) -> pa.Table:
        count = items.num_rows
        # the place of each item's decision among the decisions; an error has none
        places = np.cumsum([error is None for error in errors]) - 1
        index = pa.array(places, pa.int64(), mask=np.array([e is not None for e in errors]))
        decided = self._decider.decide(probabilities).take(index)
        rows = {
            "item_id": items["item_id"],
            "uri": items["uri"],
            "etag": items["etag"],
            **{name: decided[name] for name in decided.column_names},
            "decision": pc.fill_null(decided["decision"], Decision.ERROR),
            "error": pa.array([str(e.reason) if e else None for e in errors], pa.string()),
            "error_detail": pa.array([e.detail if e else None for e in errors], pa.string()),
            "bundle_digest": pa.repeat(self._bundle.digest, count),
            "taxonomy_version": pa.repeat(self._bundle.taxonomy.version, count),
            "run_id": pa.repeat(self._job.run_id, count),
            "classified_at": pa.repeat(
                pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC")), count
            ),
        }
        return pa.table([rows[field.name] for field in LABELS_SCHEMA], schema=LABELS_SCHEMA)

"""One unit, from its items to its shard: prepare, classify, decide, write."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pyarrow as pa
from threadpoolctl import threadpool_limits

from lib.embeddings.store import to_table
from lib.images.device_preparer import DevicePreparer
from lib.images.isolated import CarefulPreparer
from lib.images.jpeg import Pixels
from lib.images.preparer import Prepared, Preparer
from lib.images.resampling import Resample, by_products, by_torch
from lib.inference.attempts import Turns, begin, begin_again
from lib.inference.config import UnitJob
from lib.inference.decide_unit import decide_unit
from lib.inference.predictor import Predictor
from lib.labels.outcomes import Bools
from lib.models.bundle import read_bundle
from lib.models.int8 import Probabilities
from lib.models.options import UNITS_AT_ONCE
from lib.models.runtimes import Networks
from lib.names.labeller import labeller_of
from lib.runs.plan import Plan
from lib.runs.receipt import Receipt
from lib.runs.shards import read_receipt, write_embeddings, write_shard
from lib.schemas import LABELS_SCHEMA


@dataclass(frozen=True)
class Classified:
    """A unit's rows, of `LABELS_SCHEMA`, the embeddings of those without an error, the receipt."""

    rows: pa.Table
    embeddings: pa.Table
    receipt: Receipt


class UnitClassifier:
    """Holds the model and the connections, and classifies one unit after another."""

    def __init__(
        self, job: UnitJob, prepare: Callable[..., Preparer] | None = None, *, few: bool = False
    ) -> None:
        """Load the bundle.

        Args:
            job: what all units have in common.
            prepare: makes another kind of `Preparer`, from what `DevicePreparer` takes.
            few: whether there are too few items to import torch for where OpenVINO classifies; the
                first of many do not wait for it, either.
        """
        engine = job.engine
        threadpool_limits(1)  # of this process: its units and their threads run side by side
        self._job, self._plan = job, Plan(job.run)
        storage = job.run.storage
        self._bundle = read_bundle(job.bundle_uri, storage)
        info = self._bundle.info
        networks = Networks(
            self._bundle,
            storage,
            device=engine.device,
            runtime=engine.runtime,
            threads=engine.cpus_per_actor,
        )
        batch = engine.batch_size or networks.batch
        self._predictor = Predictor(self._bundle, networks, precision=engine.precision, batch=batch)
        labeller = labeller_of(self._bundle, storage)
        self._labeller = labeller if job.by_name else replace(labeller, alone=None)
        if networks.needs_torch:
            resample = _by_torch(engine.cpus_per_actor)
        else:
            resample = by_products if few else _ByTorchSoon(engine.cpus_per_actor)
        device = networks.open_jpeg_decoder()
        self._engine = self._predictor.description + (", jpeg on the device" if device else "")
        self._preparer = (prepare or DevicePreparer)(
            info.preprocessing, job.reading, storage.config, resample=resample, device=device
        )
        self._turns = Turns(UNITS_AT_ONCE)

    def run(self, unit: int) -> Receipt:
        """Classify a unit of the plan and write its shard; with care if it ended badly before.

        Threads may run units at once; one that is done with care runs alone.
        """
        run = self._job.run
        if begin(run, unit):
            with self._turns.side_by_side():
                return self._write(unit, self.embed(self._plan.read(unit), unit))
        with self._turns.alone():
            if receipt := read_receipt(run, unit):
                return receipt  # only its answer was lost
            begin_again(run, unit, self._job.command)
            return self._write(unit, self.embed(self._plan.read(unit), unit, careful=True))

    def _write(self, unit: int, done: Classified) -> Receipt:
        if self._job.embeddings and done.embeddings.num_rows:
            write_embeddings(self._job.run, unit, done.embeddings)
        write_shard(self._job.run, done.rows, done.receipt)
        return done.receipt

    def classify(
        self, items: pa.Table, unit: int = 0, *, careful: bool = False
    ) -> tuple[pa.Table, Receipt]:
        """Return the rows and the receipt alone, as `embed`."""
        done = self.embed(items, unit, careful=careful)
        return done.rows, done.receipt

    def embed(self, items: pa.Table, unit: int = 0, *, careful: bool = False) -> Classified:
        """Classify items, and keep the embeddings that their labels follow from.

        Args:
            items: with the columns of `ITEM_SCHEMA`.
            unit: the number that stands in the receipt.
            careful: decode each image in a process of its own, since one may kill this one.

        Returns:
            One row per item, in the items' order, the embeddings and the receipt.

        Raises:
            StuckError: an image may never end to decode; does not happen with care.
        """
        started = time.perf_counter()
        prepared: list[Prepared] = []
        usable: list[int] = []
        named = self._labeller.read(items["name"].to_pylist())
        preparer = CarefulPreparer(self._preparer) if careful else self._preparer

        def pixels() -> Iterator[Pixels]:
            for each in preparer.stream(items["uri"].to_pylist(), items["etag"].to_pylist()):
                prepared.append(replace(each, pixels=None))
                if each.pixels is not None:
                    usable.append(len(prepared) - 1)
                    yield each.pixels

        def in_doubt(places: Sequence[int], found: Probabilities, moved: float) -> Bools:
            says = None
            if named:
                chosen = [usable[place] for place in places]
                found, says = named.fused(chosen, found), named.says[chosen]
            return self._labeller.can_change(found, says, moved)

        found = self._predictor.predict(pixels(), in_doubt)
        probabilities = found.probabilities
        if named:
            probabilities = named.fused(usable, probabilities)
        failed = [each.error for each in prepared]
        decided = decide_unit(self._labeller, named, failed, usable, probabilities)
        rows = self._to_rows(items, decided)
        seen = items.take(pa.array(usable, pa.int64()))
        kept = to_table(seen["uri"], seen["etag"], found.embeddings)
        errors = Counter(rows["error"].drop_null().to_pylist())
        receipt = Receipt(
            unit=unit,
            items=items.num_rows,
            labelled=items.num_rows - errors.total(),
            errors=dict(errors),
            decisions=dict(Counter(rows["decision"].to_pylist())),
            retries=self._preparer.retries.take(),
            bytes_fetched=sum(each.bytes_fetched for each in prepared),
            fetch_s=sum(each.fetch_s for each in prepared),
            decode_s=sum(each.decode_s for each in prepared),
            forward_s=found.seconds,
            seconds=time.perf_counter() - started,
            engine=self._engine,
        )
        return Classified(rows, kept, receipt)

    def _to_rows(self, items: pa.Table, decided: pa.Table) -> pa.Table:
        count = items.num_rows
        rows = {
            "item_id": items["item_id"],
            "uri": items["uri"],
            "etag": items["etag"],
            **{name: decided[name] for name in decided.column_names},
            "bundle_digest": pa.repeat(self._bundle.digest, count),
            "taxonomy_version": pa.repeat(self._bundle.taxonomy.version, count),
            "run_id": pa.repeat(self._job.run.run_id, count),
            "classified_at": pa.repeat(
                pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC")), count
            ),
            "name": items["name"],
        }
        return pa.table([rows[field.name] for field in LABELS_SCHEMA], schema=LABELS_SCHEMA)


def _by_torch(threads: int) -> Resample:
    import torch  # noqa: PLC0415  # takes seconds

    torch.set_num_threads(threads)
    return by_torch


class _ByTorchSoon:
    """Resamples without torch until it is imported on a thread; the bytes are the same."""

    def __init__(self, threads: int) -> None:
        self._resample: Resample = by_products
        threading.Thread(target=self._load, args=(threads,), name="torch").start()

    def _load(self, threads: int) -> None:
        self._resample = _by_torch(threads)

    def __call__(self, image: Pixels, height: int, width: int) -> Pixels:
        return self._resample(image, height, width)


def try_on(job: UnitJob, sample: pa.Table) -> Receipt:
    """Classify a few items once the model is warm; return the receipt."""
    classifier = UnitClassifier(job)
    classifier.classify(sample.slice(0, 8))
    return classifier.classify(sample)[1]

"""People's answers in and out: items to a file that others fill in, and the answers back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from lib.embeddings.store import EmbeddingStore
from lib.errors import InputError
from lib.labels.annotations import annotations_of, standing_answers
from lib.labels.annotations_table import AnnotationsTable
from lib.labels.carried_answers import with_late
from lib.labels.decisions import Decision
from lib.labels.delta_table import LabelsTable
from lib.models.bundle import Bundle
from lib.review.answer_sheet import from_sheet, to_sheet
from lib.review.groups import group_items
from lib.review.label_studio import from_export, labelling_config, to_tasks
from lib.review.order import Order, order_rows
from lib.review.said import Read
from lib.review.take_answers import Import, Taken, take_answers
from lib.runs.progress import plural, stage
from lib.schemas import LABELS_SCHEMA
from lib.storage.storage import Storage
from lib.taxonomy.taxonomy import Taxonomy
from pipelines.current_bundle import find_bundle
from pipelines.steps import Say

EVERY = "all"  # decisions
SHEET, TASKS = ".csv", ".json"


@dataclass(frozen=True, kw_only=True)
class Reviewed:
    """A labels table, the bundle of its labels, and where answers about its items go."""

    labels: LabelsTable
    answers: AnnotationsTable
    bundle: Bundle
    storage: Storage

    @property
    def taxonomy(self) -> Taxonomy:
        """Of the table."""
        return self.bundle.taxonomy


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which items are exported, and in which order.

    Attributes:
        decision: a value of `Decision`, or `EVERY`.
        category: only of this category, or below it; None for all.
        order: what comes first.
        most: how many at most; None for all.
        embeddings: the folder that keeps them, for an order that is spread over looks, too; or
            None.
    """

    decision: str = Decision.REVIEW
    category: str | None = None
    order: Order = Order.HELPFUL
    most: int | None = None
    embeddings: str | None = None


def order_of(name: str) -> Order:
    """Return an order by its name.

    Raises:
        InputError: there is none of this name.
    """
    if name not in {*Order}:
        raise InputError(f"--order {name}: expected one of {', '.join(Order)}")
    return Order(name)


def open_reviewed(
    labels_table: str, annotations: str | None, bundle: str, storage: Storage
) -> Reviewed:
    """Open a labels table and the answers about it.

    Raises:
        InputError: there is no such table or bundle.
    """
    labels = LabelsTable(labels_table, storage)
    return Reviewed(
        labels=labels,
        answers=AnnotationsTable(annotations or annotations_of(labels_table), storage),
        bundle=find_bundle(bundle, labels, storage),
        storage=storage,
    )


def export_items(reviewed: Reviewed, wanted: Wanted, target: str, say: Say) -> int:
    """Write items to a CSV sheet, or to Label Studio's tasks; return how many.

    Items of the table that a person has answered since it was published are left out, unless all
    decisions are wanted. Beside tasks stands the labelling config of their project.

    Raises:
        InputError: the file's name says neither, or the category or the decision is none.
    """
    kind = _kind(target)
    with stage(say, "reading the labels table"):
        items = _find(reviewed, wanted)
    with stage(say, "putting the items in order", short=True):
        grouped = items
        if wanted.embeddings is not None:
            digest = reviewed.bundle.backbone_digest
            store = EmbeddingStore(wanted.embeddings, digest, reviewed.storage)
            grouped = items.append_column("cluster", group_items(items, store))
        items = items.take(pa.array(order_rows(grouped, wanted.order)[: wanted.most]))
    if kind == SHEET:
        reviewed.storage.write(target, to_sheet(items, datetime.now(UTC)))
    else:
        tasks = json.dumps(to_tasks(items, reviewed.taxonomy), ensure_ascii=False, indent=1)
        config = target.removesuffix(TASKS) + ".xml"
        reviewed.storage.write(target, tasks.encode())
        reviewed.storage.write(config, labelling_config(reviewed.taxonomy).encode())
        say(f"labelling config: {config}")
    say(f"{plural(items.num_rows, 'item')} for review: {target}")
    return int(items.num_rows)


def import_answers(reviewed: Reviewed, source: str, by: str, say: Say) -> Taken:
    """Take in the answers of a file that `export_items` has written and people have filled in.

    Raises:
        InputError: it cannot be read.
        StoreError: the answers cannot be written.
    """
    data = reviewed.storage.read(source)
    read = from_sheet(data, source) if _kind(source) == SHEET else from_export(data, source)
    with stage(say, "looking for the items of the answers", short=True):
        items = _rows_of(reviewed.labels, sorted({each.item_id for each in read.said}))
    common = Import(taxonomy=reviewed.taxonomy, by=by, now=datetime.now(UTC))
    taken = take_answers(read.said, items, reviewed.answers.read(), common)
    if taken.annotations.num_rows:
        reviewed.answers.append(taken.annotations)
        reviewed.answers.put_together()
    for sentence in (*_without(read), *taken.sentences):
        say(sentence)
    say(f"{plural(taken.annotations.num_rows, 'answer')} taken in: {reviewed.answers.name}")
    return taken


def _kind(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in {SHEET, TASKS}:
        raise InputError(
            f"{name}: expected a name that ends in {SHEET}, for a sheet, or in {TASKS}, for Label "
            "Studio"
        )
    return suffix


def _find(reviewed: Reviewed, wanted: Wanted) -> pa.Table:
    decisions = {*map(str, Decision), EVERY}
    if wanted.decision not in decisions:
        raise InputError(
            f"--decision {wanted.decision}: expected one of {', '.join(sorted(decisions))}"
        )
    below = reviewed.taxonomy.by_id
    if wanted.category is not None and wanted.category not in below:
        raise InputError(
            f"--category {wanted.category}: there is no such category in taxonomy version "
            f"{reviewed.taxonomy.version}"
        )
    kept = [
        each
        for each in below
        if wanted.category in (None, each, *reviewed.taxonomy.ancestors(each))
    ]

    def choose(batch: pa.RecordBatch) -> pa.RecordBatch:
        if wanted.decision != EVERY:
            batch = batch.filter(pc.equal(batch["decision"], wanted.decision))
        if wanted.category is not None:
            batch = batch.filter(pc.is_in(batch["category_id"], pa.array(kept)))
        return batch

    batches = reviewed.labels.batches(None, LABELS_SCHEMA.names)
    items = pa.Table.from_batches(map(choose, batches), LABELS_SCHEMA)
    if wanted.decision == EVERY:
        return items
    every = with_late(reviewed.answers.read(), reviewed.taxonomy)
    answered = {
        (row["item_id"], row["etag"] or row["uri"])
        for row in standing_answers(every, reviewed.taxonomy.version)
        .select(["item_id", "etag", "uri"])
        .to_pylist()
    }
    keys = zip(*(items[name].to_pylist() for name in ("item_id", "etag", "uri")), strict=True)
    return items.filter(pa.array([(i, e or u) not in answered for i, e, u in keys], pa.bool_()))


def _rows_of(labels: LabelsTable, item_ids: Sequence[str]) -> pa.Table:
    wanted = pa.array(item_ids, pa.string())
    batches = labels.batches(None, LABELS_SCHEMA.names)
    found = (batch.filter(pc.is_in(batch["item_id"], wanted)) for batch in batches)
    return pa.Table.from_batches(found, LABELS_SCHEMA)


def _without(read: Read) -> list[str]:
    return [f"{plural(count, 'item')}: {why}" for why, count in read.without.items() if count]

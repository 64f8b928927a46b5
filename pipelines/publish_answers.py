"""Taking people's answers into a labels table at once: one commit, without Ray, without pixels."""

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from lib.catalog.diff import UNSHOWN
from lib.errors import ConflictError, InputError, StoreError
from lib.hashing import digest_json
from lib.labels.change import Change
from lib.labels.decisions import Decider, Decision
from lib.labels.delta_table import LabelsTable
from lib.labels.history import Made
from lib.labels.people import Answers, respected, without_answers
from lib.models.bundle import Bundle, read_bundle
from lib.schemas import LABELS_SCHEMA
from lib.sql import open_duckdb, read_rows, streamed
from lib.storage.storage import Storage
from pipelines.answers import read_annotations
from pipelines.current_bundle import CURRENT, find_bundle
from pipelines.steps import Say

ATTEMPTS = 5  # a run may be published in between, again and again
SEEN = ["item_id", "uri", "etag", "category_id", "decision", "taxonomy_version"]
FIND = f"""SELECT l.item_id FROM seen l LEFT JOIN answers a
    ON a.item_id = l.item_id AND coalesce(a.etag, a.uri) = coalesce(l.etag, l.uri)
    WHERE l.taxonomy_version = $version AND {UNSHOWN}"""  # noqa: S608  # our own words


def publish_answers(
    labels_table: str, annotations: str, storage: Storage, by: str, say: Say
) -> int | None:
    """Let a labels table show the answers that stand, and no others.

    The rows keep the run and the time of the model's label: a run that is under way changes them as
    if nobody had answered, and takes the answers in itself when it is published.

    Args:
        labels_table: the table.
        annotations: the table of annotations about its items.
        storage: how to reach both, and the bundles of the labels.
        by: who does it, for `history`.
        say: takes the line for the person who waits.

    Returns:
        The table's new version, or None where it shows all answers already.

    Raises:
        InputError: there is no labels table, or the bundle of its labels is not there.
        ConflictError: other runs are published all the time.
        StoreError: the store does not answer.
    """
    table = LabelsTable(labels_table, storage)
    for _ in range(ATTEMPTS - 1):
        try:
            return _publish(table, annotations, by, say)
        except ConflictError:
            continue
    return _publish(table, annotations, by, say)


def _publish(table: LabelsTable, annotations: str, by: str, say: Say) -> int | None:
    base = table.version()
    if base is None:
        raise InputError(f"{table.name}: there is no labels table here")
    every = read_annotations(annotations, table.storage, table.batches(base, ["decision"]))
    if not every.num_rows:
        return None
    bundle = find_bundle(CURRENT, table, table.storage)
    answers = Answers(respected(every, bundle.taxonomy), bundle.taxonomy)
    rows = _unshown(table, base, answers)
    if not rows.num_rows:
        return None
    rows = answers.lay_over(_by_the_model(rows, table, bundle))
    did = _did(rows)
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "answers.parquet"
        parquet.write_table(rows, part)
        said = rows.select(["item_id", "category_id", "decision"]).to_pylist()
        run_id = f"answers-{digest_json([base, said])[:32]}"
        made = Made(run_id=run_id, job="answers", by=by, did=did)
        change = Change(run_id=run_id, base=base, parts=[str(part)], removed=None, made=made)
        version = table.publish(change)
    say(f"{did}; published as version {version} of {table.name}")
    return version


def _unshown(table: LabelsTable, version: int, answers: Answers) -> pa.Table:
    """Return the rows that do not show what people say of them."""
    seen = pa.schema([LABELS_SCHEMA.field(name) for name in SEEN])
    with (
        open_duckdb() as connection,
        streamed(connection, "seen", seen, table.batches(version, SEEN)),
    ):
        connection.register("answers", answers.rows)
        values: dict[str, object] = {"version": answers.taxonomy.version}
        found = read_rows(connection, FIND, values).read_all()["item_id"].combine_chunks()
    if not len(found):
        return LABELS_SCHEMA.empty_table()
    batches = table.batches(version, LABELS_SCHEMA.names)
    some = [batch.filter(pc.is_in(batch["item_id"], found)) for batch in batches]
    return pa.Table.from_batches(some, LABELS_SCHEMA).sort_by("item_id")


def _by_the_model(rows: pa.Table, table: LabelsTable, bundle: Bundle) -> pa.Table:
    """Take earlier answers off rows, each as the bundle that has labelled it would decide."""
    bundles = {each.made.bundle_digest: each.made.bundle for each in table.history()}
    done = []
    for digest in pc.unique(rows["bundle_digest"]).to_pylist():
        of_it = rows.filter(pc.equal(rows["bundle_digest"], digest))
        for some, decider in _by_decider(of_it, bundles.get(digest), table.storage):
            done.append(without_answers(some, bundle.taxonomy, decider))
    return pa.concat_tables(done).sort_by("item_id")


def _by_decider(
    rows: pa.Table, bundle: str | None, storage: Storage
) -> list[tuple[pa.Table, Decider | None]]:
    """Divide the rows of one bundle by how it decides on them; None where it cannot be read."""
    from lib.names.labeller import labeller_of  # noqa: PLC0415  # torch takes seconds to import

    try:
        made = read_bundle(bundle, storage) if bundle else None
        if made is None or made.digest != rows["bundle_digest"][0].as_py():
            return [(rows, None)]
        labeller = labeller_of(made, storage)
    except (InputError, StoreError):
        return [(rows, None)]
    named = labeller.read(rows["name"].to_pylist())
    if named is None:
        return [(rows, labeller.image)]
    says, by_name = pa.array(named.says), pc.is_valid(rows["error_detail"])
    kinds = [
        (by_name, labeller.alone),
        (pc.and_not(says, by_name), labeller.both),
        (pc.invert(pc.or_(says, by_name)), labeller.image),
    ]
    return [(rows.filter(kind), decider) for kind, decider in kinds]


def _did(rows: pa.Table) -> str:
    decided = sum(each == Decision.PERSON for each in rows["decision"].to_pylist())
    others = rows.num_rows - decided
    said = [f"{decided:,} decided by people"] if decided else []
    return ", ".join([*said, *([f"{others:,} back to what the model says"] if others else [])])

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet

import lib.runs.compaction
from lib.errors import InputError, ReshelveError
from lib.hashing import digest_bytes
from lib.labels.people import Answers
from lib.runs.compaction import Part, compact
from lib.runs.manifest import Manifest, read_manifest, write_manifest
from lib.runs.plan import Plan
from lib.runs.receipt import Totals, add_up
from lib.runs.run import Run
from lib.runs.shards import write_shard
from lib.schemas import ITEM_SCHEMA, LABELS_SCHEMA
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from tests.conftest import Bucket
from tests.helpers import catalogs
from tests.helpers.answers import answer, table_of
from tests.runs.test_shards import receipt_of

UNIT_SIZE, UNITS = 10, 5
IDS = [f"{n:03d}" for n in range(UNIT_SIZE * UNITS - 3)]
BROKEN = IDS[::9]


def unit_rows(unit: int) -> pa.Table:
    ids = IDS[unit * UNIT_SIZE : (unit + 1) * UNIT_SIZE]
    return catalogs.label_rows(ids, broken=BROKEN)


def write_unit(run: Run, unit: int, rows: pa.Table) -> None:
    write_shard(run, rows, receipt_of(unit, rows))


def write_run(run: Run) -> Plan:
    """Write the plan and all shards of a run."""
    rows = [{"item_id": item_id, "uri": f"s3://shop/{item_id}"} for item_id in IDS]
    items = pa.Table.from_pylist(rows, schema=ITEM_SCHEMA)
    plan = catalogs.write_plan(run, items, UNIT_SIZE)
    for unit in plan.units:
        write_unit(run, unit, unit_rows(unit))
    return plan


def every_row() -> pa.Table:
    return pa.concat_tables([unit_rows(unit) for unit in range(UNITS)]).combine_chunks()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return catalogs.run_at(tmp_path / "run")


@pytest.fixture
def plan(run: Run) -> Plan:
    return write_run(run)


def test_the_parts_hold_every_row_of_every_shard_in_order(run: Run, plan: Plan) -> None:
    parts, totals = compact(run, plan)

    tables = [parquet.read_table(run.at(part.path)) for part in parts]
    assert pa.concat_tables(tables).combine_chunks().equals(every_row())
    assert totals.items == len(IDS) == totals.labelled + totals.error_count
    assert totals.errors == {"gone": len(BROKEN)}


def test_a_part_is_described_as_it_is(run: Run, plan: Plan) -> None:
    parts, _ = compact(run, plan)

    for part in parts:
        data = Path(run.at(part.path)).read_bytes()
        assert part.size_bytes == len(data)
        assert part.sha256 == digest_bytes(data)
        assert part.rows == parquet.read_metadata(run.at(part.path)).num_rows


def test_parts_end_at_the_row_limit(run: Run, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lib.runs.compaction, "MAX_PART_ROWS", 2 * UNIT_SIZE)

    parts, _ = compact(run, plan)

    assert [part.rows for part in parts] == [20, 20, 7]
    assert [part.path for part in parts] == [f"labels/part-{n:05d}.parquet" for n in range(3)]


def test_parts_end_at_the_byte_limit(run: Run, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lib.runs.compaction, "MAX_PART_BYTES", 1)

    parts, _ = compact(run, plan)

    assert [part.rows for part in parts] == [10, 10, 10, 10, 7]


def test_no_empty_part_follows_when_the_rows_end_at_the_limit(
    run: Run, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lib.runs.compaction, "MAX_PART_ROWS", len(IDS))

    parts, _ = compact(run, plan)

    assert [part.rows for part in parts] == [len(IDS)]


def test_pyarrow_reads_the_parts_with_the_schema_of_the_labels_table(run: Run, plan: Plan) -> None:
    parts, _ = compact(run, plan)

    assert parquet.read_schema(run.at(parts[0].path)).equals(LABELS_SCHEMA)
    table = parquet.read_table(run.at("labels"))
    assert table.combine_chunks().equals(every_row())


def test_duckdb_reads_the_parts_without_help(run: Run, plan: Plan) -> None:
    compact(run, plan)

    query = f"""
        select count(*), count(distinct item_id), count(error), max(top_k[1].probability)
        from '{run.uri}/labels/*.parquet'
    """  # noqa: S608  # our own path
    assert duckdb.execute(query).fetchall() == [(len(IDS), len(IDS), len(BROKEN), 0.75)]


def test_pyarrow_s_own_s3_reads_the_parts_of_a_run_on_s3(s3: Bucket) -> None:
    storage = Storage(StorageConfig())
    run = catalogs.run_at(f"{s3.uri}/runs/one", storage)
    compact(run, write_run(run))

    filesystem = catalogs.plain_s3(s3)
    table = parquet.read_table(f"{s3.name}/runs/one/labels", filesystem=filesystem)

    assert table.combine_chunks().equals(every_row())


def lost(rows: pa.Table) -> pa.Table:
    return rows.slice(1)


def doubled(rows: pa.Table) -> pa.Table:
    return pa.concat_tables([rows, rows.slice(0, 1)])


def foreign(rows: pa.Table) -> pa.Table:
    return pa.concat_tables([rows.slice(1), catalogs.label_rows(["from-elsewhere"])])


def swapped(rows: pa.Table) -> pa.Table:
    return rows.take([1, 0, *range(2, rows.num_rows)])


def neither(rows: pa.Table) -> pa.Table:
    return set_null(rows, "error", "category_id")


def both(rows: pa.Table) -> pa.Table:
    index = rows.schema.get_field_index("error")
    everywhere = pa.repeat(pa.scalar("gone"), rows.num_rows)
    return rows.set_column(index, LABELS_SCHEMA.field("error"), everywhere)


def set_null(rows: pa.Table, *columns: str) -> pa.Table:
    for column in columns:
        index = rows.schema.get_field_index(column)
        rows = rows.set_column(
            index, LABELS_SCHEMA.field(column), pa.nulls(rows.num_rows, pa.string())
        )
    return rows


@pytest.mark.parametrize("spoil", [lost, doubled, foreign, swapped, neither, both])
def test_a_shard_with_other_rows_than_planned_is_caught(
    spoil: Callable[[pa.Table], pa.Table], run: Run, plan: Plan
) -> None:
    write_unit(run, 3, spoil(unit_rows(3)))

    with pytest.raises(ReshelveError, match="unit 3"):
        compact(run, plan)


def test_a_receipt_that_counts_other_errors_than_the_rows_hold_is_caught(
    run: Run, plan: Plan
) -> None:
    rows = unit_rows(3)
    receipt = receipt_of(3, rows).model_copy(update={"labelled": rows.num_rows + 1})
    write_shard(run, rows, receipt)

    with pytest.raises(ReshelveError, match="lost or added"):
        compact(run, plan)


def test_a_missing_shard_is_an_error(run: Run, plan: Plan) -> None:
    catalogs.LOCAL.delete(run.at("shards/unit-0000002.parquet"))

    with pytest.raises(InputError, match="unit-0000002"):
        compact(run, plan)


def test_compacting_again_writes_the_same_bytes(run: Run, plan: Plan) -> None:
    first, _ = compact(run, plan)

    again, _ = compact(run, plan)

    assert again == first


def manifest_of(parts: list[Part], totals: Totals) -> Manifest:
    return Manifest(
        run_id="one",
        finished_at="2026-11-23T02:17:05+00:00",
        catalog="s3://shop/images/",
        bundle="s3://shop/bundles/one",
        taxonomy_version="7",
        fingerprint={"bundle": "b"},
        parts=tuple(parts),
        totals=totals,
        seconds=12.5,
        images_per_s=64.25,
    )


def test_a_manifest_comes_back_as_it_was_written(run: Run, plan: Plan) -> None:
    manifest = manifest_of(*compact(run, plan))
    assert read_manifest(run) is None

    write_manifest(run, manifest)

    assert read_manifest(run) == manifest


def test_the_first_manifest_of_a_run_stays(s3: Bucket) -> None:
    run = catalogs.run_at(s3.uri, Storage(StorageConfig()))
    first = manifest_of([], add_up([receipt_of(0, unit_rows(0))]))
    write_manifest(run, first)

    write_manifest(run, first.model_copy(update={"run_id": "another"}))

    assert read_manifest(run) == first


def test_what_settles_the_rows_has_the_last_word_on_them_and_on_the_totals(
    run: Run, plan: Plan
) -> None:
    rejected, kept = BROKEN[0], IDS[1]
    answers = table_of(answer(rejected, None), answer(kept, "shoes"))

    parts, totals = compact(run, plan, settle=Answers(answers, catalogs.TAXONOMY).lay_over)

    (part,) = parts
    rows = {each["item_id"]: each for each in parquet.read_table(run.at(part.path)).to_pylist()}
    assert {each: rows[each]["decision"] for each in (rejected, kept)} == {
        rejected: "person",
        kept: "person",
    }
    assert totals.errors == {"gone": len(BROKEN) - 1}
    assert totals.items == len(IDS) == totals.labelled + totals.error_count
    assert totals.decisions["person"] == 2

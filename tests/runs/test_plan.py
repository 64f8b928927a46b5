from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet

from lib.runs.plan import Plan
from lib.schemas import ITEM_SCHEMA
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from tests.conftest import Bucket
from tests.helpers import catalogs


def some_items(count: int) -> pa.Table:
    rows = [{"item_id": f"{n:04d}", "uri": f"s3://shop/{n:04d}.jpg"} for n in range(count)]
    return pa.Table.from_pylist(rows, schema=ITEM_SCHEMA)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return catalogs.write_plan(catalogs.run_at(tmp_path), some_items(23), 10)


def test_units_are_cut_in_order_and_hold_every_item_once(plan: Plan) -> None:
    units = [plan.read(unit) for unit in plan.units]

    assert [unit.num_rows for unit in units] == [10, 10, 3]
    assert pa.concat_tables(units).equals(some_items(23))


def test_a_unit_s_ids_are_those_of_its_items(plan: Plan) -> None:
    for unit in plan.units:
        assert plan.read_ids(unit).to_pylist() == plan.read(unit)["item_id"].to_pylist()


def test_items_are_counted_over_all_units_or_some(plan: Plan) -> None:
    assert plan.items == 23
    assert plan.count([0, 2]) == 13
    assert plan.count([]) == 0


@pytest.mark.parametrize("unit_size", [1, 22, 23, 24, 1000])
def test_no_unit_is_empty_or_too_large(unit_size: int, tmp_path: Path) -> None:
    plan = catalogs.write_plan(catalogs.run_at(tmp_path), some_items(23), unit_size)

    sizes = [plan.count([unit]) for unit in plan.units]

    assert len(sizes) == -(-23 // unit_size)
    assert all(0 < size <= unit_size for size in sizes)


def test_pyarrow_and_duckdb_read_a_plan_without_help(tmp_path: Path) -> None:
    path = tmp_path / "plan.parquet"
    catalogs.write_plan(catalogs.run_at(tmp_path), some_items(23), 10)

    assert parquet.read_table(path).equals(some_items(23))
    query = f"select count(distinct item_id) from '{path}'"  # noqa: S608  # our own path
    assert duckdb.execute(query).fetchall() == [(23,)]


def test_a_plan_on_s3_is_read_by_unit_and_by_pyarrow_s_own_s3(s3: Bucket) -> None:
    storage = Storage(StorageConfig())
    plan = catalogs.write_plan(catalogs.run_at(s3.uri, storage), some_items(23), 10)

    assert plan.read(1).equals(some_items(23).slice(10, 10))
    filesystem = catalogs.plain_s3(s3)
    table = parquet.read_table(f"{s3.name}/plan.parquet", filesystem=filesystem)
    assert table.equals(some_items(23))

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from lib.embeddings.store import embeddings_schema, to_table
from lib.errors import InputError
from lib.runs.receipt import Receipt
from lib.runs.run import Run
from lib.runs.shards import (
    finished_units,
    read_embeddings,
    read_shards,
    write_embeddings,
    write_shard,
)
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from tests.conftest import Bucket
from tests.helpers import catalogs


def receipt_of(unit: int, rows: pa.Table) -> Receipt:
    errors = rows["error"].drop_null().to_pylist()
    return Receipt(
        unit=unit,
        items=rows.num_rows,
        labelled=rows.num_rows - len(errors),
        errors={reason: errors.count(reason) for reason in sorted(set(errors))},
        decisions={},
        bytes_fetched=1,
        retries=0,
        fetch_s=0.5,
        decode_s=0.25,
        forward_s=0.125,
        seconds=1,
        engine="a test",
    )


def write_unit(run: Run, unit: int) -> tuple[Receipt, pa.Table]:
    ids = [f"{unit}-{n}" for n in range(4)]
    rows = catalogs.label_rows(ids, broken=ids[:1])
    receipt = receipt_of(unit, rows)
    write_shard(run, rows, receipt)
    return receipt, rows


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return catalogs.run_at(tmp_path / "runs" / "one")


def test_shards_come_back_in_the_order_asked_for_with_their_receipts(run: Run) -> None:
    # more than are read ahead
    written = {unit: write_unit(run, unit) for unit in range(40)}
    order = [*range(39, 0, -2), *range(0, 40, 2)]

    shards = list(read_shards(run, order))

    for unit, (receipt, rows) in zip(order, shards, strict=True):
        assert receipt == written[unit][0]
        assert rows.equals(written[unit][1], check_metadata=True)


def test_the_finished_units_are_those_whose_shard_is_there(run: Run) -> None:
    assert finished_units(run) == []
    for unit in (3, 0, 12):
        write_unit(run, unit)

    assert finished_units(run) == [0, 3, 12]


def test_what_a_killed_writer_leaves_is_no_shard(run: Run) -> None:
    write_unit(run, 0)
    (Path(run.uri) / "shards" / ".unit-0000001.parquet.0123.tmp").write_bytes(b"PAR1 and no more")

    assert finished_units(run) == [0]


def test_a_unit_done_twice_is_one_shard(run: Run) -> None:
    write_unit(run, 5)
    before = catalogs.folder_of(Path(run.uri))

    write_unit(run, 5)

    assert catalogs.folder_of(Path(run.uri)) == before


def test_a_missing_shard_is_an_error_that_names_it(run: Run) -> None:
    write_unit(run, 0)

    with pytest.raises(InputError, match="unit-0000001"):
        list(read_shards(run, [0, 1]))


def test_pyarrow_and_duckdb_read_a_shard_without_help(run: Run) -> None:
    _, rows = write_unit(run, 2)
    path = run.at("shards/unit-0000002.parquet")

    assert parquet.read_table(path).equals(rows)
    query = f"select item_id from '{path}' where error is not null"  # noqa: S608  # our own path
    assert duckdb.execute(query).fetchall() == [("2-0",)]


def test_shards_on_s3_are_listed_and_read_like_those_on_disk(s3: Bucket) -> None:
    run = catalogs.run_at(f"{s3.uri}/runs/one", Storage(StorageConfig()))
    assert finished_units(run) == []
    written = [write_unit(run, unit) for unit in range(3)]

    assert finished_units(run) == [0, 1, 2]
    for (receipt, rows), (sent, expected) in zip(read_shards(run, range(3)), written, strict=True):
        assert receipt == sent
        assert rows.equals(expected)


def test_pyarrow_s_own_s3_reads_a_run_s_shards_as_one_table(s3: Bucket) -> None:
    run = catalogs.run_at(f"{s3.uri}/runs/one", Storage(StorageConfig()))
    written = [write_unit(run, unit)[1] for unit in range(3)]

    filesystem = catalogs.plain_s3(s3)
    table = parquet.read_table(f"{s3.name}/runs/one/shards", filesystem=filesystem)

    assert table.sort_by("item_id").equals(pa.concat_tables(written).combine_chunks())


def embeddings_of(uris: list[str]) -> pa.Table:
    keys = pa.table({"uri": uris, "etag": uris})
    return to_table(keys["uri"], keys["etag"], np.ones((len(uris), 4), np.float16))


def test_units_without_embeddings_have_no_shard_of_them(run: Run) -> None:
    write_embeddings(run, 0, embeddings_of(["a"]))
    write_embeddings(run, 2, embeddings_of(["b"]))

    found = list(read_embeddings(run, range(4)))

    assert [rows["uri"].to_pylist() for rows in found] == [["a"], ["b"]]
    assert found[0].schema.equals(embeddings_schema(4))


def test_a_shard_of_embeddings_appears_whole(run: Run) -> None:
    write_embeddings(run, 3, embeddings_of(["a"]))

    (path,) = (Path(run.uri) / "embeddings").iterdir()
    assert path.name == "unit-0000003.parquet"
    assert parquet.read_table(path).num_rows == 1

# ruff: noqa: T201, S603  # they speak to a person, and run themselves
"""Holds a snapshot of 10 million items against a labels table of 10 million: seconds, memory.

    python -m benchmarks.bench_night [--items N]

One item in a hundred is changed, one in two hundred is new and as many are gone. Snapshot and table
lie on local disk; what is timed runs in a process of its own.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import needs


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=10_000_000)
    parser.add_argument("--compare", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":  # before what takes seconds to import
    asked = arguments()
    if not asked.compare:
        needs.check(needs.memory_gib(0.5 + asked.items / 8e6), needs.disk_gib(asked.items / 4e6))

import pyarrow as pa
from deltalake import write_deltalake

from lib.catalog.diff import COMPARED, Night, NightConfig, write_removed
from lib.labels.delta_table import LabelsTable
from lib.schemas import LABELS_SCHEMA
from lib.sql import open_duckdb
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage

UNIT_SIZE = 512
SNAPSHOT = """COPY (
    SELECT md5(i::varchar) || '.jpg' AS item_id, 's3://bucket/' || md5(i::varchar) || '.jpg' AS uri,
        CASE WHEN i % 100 = 1 THEN 'new' ELSE md5((7 * i)::varchar) END AS etag,
        50000::bigint AS size, NULL::varchar AS name, NULL::varchar AS category_id,
        NULL::varchar AS split
    FROM range($items) r(i) WHERE i % 200 <> 2 ORDER BY item_id) TO '{target}' (FORMAT parquet)"""
LABELS = """
    SELECT md5(i::varchar) || '.jpg' AS item_id, 's3://bucket/' || md5(i::varchar) || '.jpg' AS uri,
        md5((7 * i)::varchar) AS etag, 'shirt' AS category_id, 'Tops > Shirts' AS category_path,
        0.9::float AS confidence, [{'category_id': 'shirt', 'probability': 0.9::float}] AS top_k,
        'accept' AS decision, NULL::varchar AS error, NULL::varchar AS error_detail,
        'digest' AS bundle_digest, '1' AS taxonomy_version, 'run' AS run_id,
        TIMESTAMPTZ '2026-01-01 00:00:00+00' AS classified_at
    FROM range($items) r(i) WHERE i % 200 <> 3"""


def prepare(folder: Path, items: int) -> None:
    """Write the snapshot and the table; not timed."""
    with open_duckdb() as connection:
        query = SNAPSHOT.format(target=folder / "snapshot.parquet")
        connection.sql("SET TimeZone = 'UTC'")
        connection.execute(query, {"items": items}).fetchall()
        rows = connection.sql(LABELS, params={"items": items}).to_arrow_reader(100_000)
        batches = (batch.cast(LABELS_SCHEMA) for batch in rows)
        reader = pa.RecordBatchReader.from_batches(LABELS_SCHEMA, batches)
        write_deltalake(folder / "labels", reader)


def compare(folder: Path) -> dict[str, float]:
    """Do what a night does between its listing and its first unit; return seconds and peak."""
    started = time.perf_counter()
    labels = folder / "known.parquet"
    LabelsTable(str(folder / "labels"), Storage(StorageConfig())).dump(0, COMPARED, labels)
    dumped = time.perf_counter()
    night = Night(NightConfig(), "digest", "1", full=False)
    snapshot = folder / "snapshot.parquet"
    with open_duckdb() as connection:
        diff = night.plan(connection, snapshot, labels, folder / "plan.parquet", UNIT_SIZE)
        gone = folder / "removed.parquet"
        removed = write_removed(connection, snapshot, labels, gone, whole=True)
    ended = time.perf_counter()
    return {
        "dump_s": round(dumped - started, 1),
        "diff_s": round(ended - dumped, 1),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "planned": diff.planned,
        "removed": removed,
    }


def main() -> None:
    """Prepare, then measure in a child: its peak of memory is its own."""
    given = arguments()
    if given.compare:
        print(json.dumps(compare(given.compare)))
        return
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), given.items)
        command = [sys.executable, "-m", "benchmarks.bench_night", "--compare", folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    figures = {"items": given.items, **json.loads(done.stdout.splitlines()[-1])}
    for name, value in figures.items():
        print(f"{name:>15} {value:>12,}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

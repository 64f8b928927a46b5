"""A bucket as an earlier version left it, and the commands that are run on it now."""

import contextlib
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from deltalake import DeltaTable
from pyarrow import parquet

from lib.schemas import as_labels
from tests.conftest import REGION, Bucket, Server
from tests.helpers.jobs import run_job

# the samples have this name wherever they point to something
BUCKET = "reshelve-formats"


@dataclass(frozen=True)
class Restored:
    """A bucket as an earlier version left it, and that version's run files."""

    bucket: Bucket
    run_files: Path
    folder: Path

    def write_run_file(self, name: str) -> str:
        """Write a run file to which this store's address is added; give its path."""
        server = self.bucket.server
        described = yaml.safe_load((self.run_files / f"{name}.yaml").read_text())
        described["storage"] = {
            "endpoint_url": server.endpoint,
            "region": REGION,
            "access_key_id": server.key,
            "secret_access_key": server.secret,
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(described))
        return str(path)

    def run(self, job: str, name: str, *options: str) -> None:
        succeed(job, self.write_run_file(name), *options)

    def read(self, key: str) -> bytes:
        client, name = self.bucket.server.client, self.bucket.name
        data: bytes = client.get_object(Bucket=name, Key=key)["Body"].read()
        return data

    def read_json(self, key: str) -> Any:  # noqa: ANN401  # whatever JSON holds
        return json.loads(self.read(key))

    def read_tables(self, folder: str) -> pa.Table:
        """Read all Parquet files below a folder, sorted by item or by URI."""
        keys = sorted(key for key in self.etags(folder) if key.endswith(".parquet"))
        tables = [parquet.read_table(pa.BufferReader(self.read(key))) for key in keys]
        whole = pa.concat_tables(table.replace_schema_metadata(None) for table in tables)
        return whole.sort_by("item_id" if "item_id" in whole.column_names else "uri")

    def count_units(self, run_id: str) -> int:
        plan = parquet.ParquetFile(pa.BufferReader(self.read(f"runs/{run_id}/plan.parquet")))
        return int(plan.num_row_groups)

    def etags(self, folder: str = "") -> dict[str, str]:
        """ETags of the objects below a folder: a unit that is done again gets another one."""
        pages = self.bucket.server.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket.name, Prefix=folder
        )
        return {each["Key"]: each["ETag"] for page in pages for each in page.get("Contents", [])}

    def items(self, name: str) -> list[dict[str, str]]:
        """Read a catalog's items, sorted by item."""
        rows = csv.DictReader(self.read(f"photos/{name}.csv").decode().splitlines())
        return sorted(rows, key=lambda row: row["item_id"])

    @property
    def table(self) -> DeltaTable:
        server = self.bucket.server
        options = {
            "AWS_ENDPOINT_URL": server.endpoint,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": server.key,
            "AWS_SECRET_ACCESS_KEY": server.secret,
            "AWS_ALLOW_HTTP": "true",
        }
        return DeltaTable(f"{self.bucket.uri}/labels", storage_options=options)

    @property
    def rows(self) -> pa.Table:
        # tables of earlier versions lack some columns
        rows = as_labels(pa.table(self.table.to_pyarrow_table()))
        return rows.sort_by("item_id").combine_chunks()


def succeed(*arguments: str) -> None:
    result = run_job(*arguments)
    assert result.exit_code == 0, result.output


@contextlib.contextmanager
def restored(sample: Path, server: Server, folder: Path) -> Iterator[Restored]:
    """Give the bucket of an unpacked sample, and remove it afterwards; run files go to `folder`."""
    bucket, client = Bucket(BUCKET, server), server.client
    if BUCKET in {each["Name"] for each in client.list_buckets()["Buckets"]}:
        _empty(bucket)  # tests that were killed have left it
    else:
        client.create_bucket(Bucket=BUCKET)
    root = sample / "bucket"
    for path in root.rglob("*"):
        if path.is_file():
            bucket.put(path.relative_to(root).as_posix(), path.read_bytes())
    yield Restored(bucket, sample / "run-files", folder)
    _empty(bucket)
    client.delete_bucket(Bucket=BUCKET)


def _empty(bucket: Bucket) -> None:
    while keys := bucket.list_keys()[:1000]:  # S3 deletes no more at once
        objects = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        bucket.server.client.delete_objects(Bucket=bucket.name, Delete=objects)

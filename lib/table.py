"""The labels table: the published, current label of every item, a Delta table."""

import io
from collections.abc import Iterable, Iterator

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError
from pyarrow import parquet

from lib.credentials import BotocoreCredentials
from lib.errors import InputError
from lib.labels import LABELS_SCHEMA
from lib.storage import Storage, StorageConfig, absolute, protocol_of


def publish(
    table_uri: str, parts: Iterable[str], run_id: str, storage: Storage, *, whole_catalog: bool
) -> int:
    """Take a run into the labels table, in one commit.

    Rows of the run replace those of the same `item_id`; where the run covers the whole catalog,
    rows of items that it no longer has are removed. The commit's application transaction is the
    run id: a run that was taken before changes nothing.

    Args:
        table_uri: the table; made where there is none.
        parts: URIs of the run's labels.
        run_id: the run.
        storage: how to reach both.
        whole_catalog: whether items that the run lacks are gone.

    Returns:
        The version of the table.

    Raises:
        InputError: the table cannot be written.
    """
    uri = absolute(table_uri)
    options = _options(uri, storage.config)
    properties = CommitProperties(app_transactions=[Transaction(run_id, 1)])
    rows = pa.RecordBatchReader.from_batches(LABELS_SCHEMA, _batches(parts, storage))
    try:
        table = _find(uri, options)
        if table is None:
            write_deltalake(
                uri, rows, mode="error", storage_options=options, commit_properties=properties
            )
            return DeltaTable(uri, storage_options=options).version()
        if table.transaction_version(run_id) is None:
            merger = table.merge(
                rows, "old.item_id = new.item_id", "new", "old", commit_properties=properties
            )
            merger = merger.when_matched_update_all().when_not_matched_insert_all()
            if whole_catalog:
                merger = merger.when_not_matched_by_source_delete()
            merger.execute()
        return table.version()
    except (DeltaError, OSError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{table_uri}: the labels table cannot be written: {first}") from error


def read_labels(table_uri: str, storage: Storage) -> pa.Table:
    """Read the labels table, with the columns of `LABELS_SCHEMA`.

    Raises:
        InputError: there is no such table.
    """
    uri = absolute(table_uri)
    try:
        table = DeltaTable(uri, storage_options=_options(uri, storage.config))
        return pa.table(table.to_pyarrow_table()).select(LABELS_SCHEMA.names)
    except (DeltaError, OSError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{table_uri}: no labels table can be read here: {first}") from error


def _find(uri: str, options: dict[str, str]) -> DeltaTable | None:
    # not DeltaTable.is_deltatable: it holds the interpreter's lock while it waits for the store
    try:
        return DeltaTable(uri, storage_options=options)
    except TableNotFoundError:
        return None


def _batches(parts: Iterable[str], storage: Storage) -> Iterator[pa.RecordBatch]:
    for part in parts:
        yield from parquet.ParquetFile(io.BytesIO(storage.read(part))).iter_batches()


def _options(uri: str, config: StorageConfig) -> dict[str, str]:
    """Delta's own names for what `StorageConfig` says."""
    if protocol_of(uri) != "s3":
        return {name: str(value) for name, value in config.options.items()}
    options = {"AWS_REGION": config.s3_region}
    if endpoint := config.s3_endpoint:
        options |= {"AWS_ENDPOINT_URL": endpoint}
        options |= {"AWS_ALLOW_HTTP": str(endpoint.startswith("http://")).lower()}
    if config.anonymous:
        return options | {"AWS_SKIP_SIGNATURE": "true"}
    if keys := config.s3_keys():
        key, secret, token = keys
    else:
        found = BotocoreCredentials()()
        key, secret, token = found["access_key_id"], found["secret_access_key"], found["token"]
    options |= {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
    return options | ({"AWS_SESSION_TOKEN": token} if token else {})

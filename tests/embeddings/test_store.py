from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from lib.embeddings.store import (
    Embeddings,
    EmbeddingStore,
    to_matrix,
    to_table,
)
from lib.errors import InputError
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage

STORAGE = Storage(StorageConfig())
DIMENSIONS = 4


def values(uris: Sequence[str]) -> Embeddings:
    return np.array([[len(uri), ord(uri[-1]), -0.5, 1e-4] for uri in uris], np.float16)


def table(uris: Sequence[str], etags: Sequence[str | None] | None = None) -> pa.Table:
    chosen = pa.table({"uri": uris, "etag": pa.array(etags or uris, pa.string())})
    return to_table(chosen["uri"], chosen["etag"], values(uris))


@pytest.fixture
def store(disk_or_s3: str) -> EmbeddingStore:
    return EmbeddingStore(disk_or_s3, "digest", STORAGE)


@pytest.fixture
def local(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(str(tmp_path), "digest", STORAGE)


def keys(store: EmbeddingStore) -> list[tuple[str, str | None]]:
    rows = [row for batch in store.read_keys() for row in batch.to_pylist()]
    return [(row["uri"], row["etag"]) for row in rows]


def test_what_is_appended_is_read_back(store: EmbeddingStore) -> None:
    assert store.append("run-1", [table(["b", "a"]), table(["c"])]) == 3

    rows = pa.concat_tables(file.read(0) for file in store.files)
    assert rows["uri"].to_pylist() == ["a", "b", "c"]
    np.testing.assert_array_equal(
        to_matrix(rows["embedding"].combine_chunks()), values(["a", "b", "c"])
    )


def test_a_key_that_is_there_is_not_appended_again(store: EmbeddingStore) -> None:
    store.append("run-1", [table(["a", "b"])])

    assert store.append("run-2", [table(["b", "c"], ["b", "c"])]) == 1
    assert store.append("run-3", [table(["a", "b"])]) == 0

    assert sorted(keys(store)) == [("a", "a"), ("b", "b"), ("c", "c")]
    assert len(store.files) == 2


def test_another_version_of_an_image_has_an_embedding_of_its_own(local: EmbeddingStore) -> None:
    local.append("run-1", [table(["a"], ["1"]), table(["b"], [None])])
    local.append("run-2", [table(["a"], ["2"]), table(["b"], [None])])

    assert sorted(keys(local), key=str) == [("a", "1"), ("a", "2"), ("b", None)]


def test_an_image_that_stands_twice_in_a_run_is_kept_once(local: EmbeddingStore) -> None:
    assert local.append("run-1", [table(["a", "a"]), table(["a"])]) == 1


def test_a_retry_writes_the_same_file(local: EmbeddingStore, tmp_path: Path) -> None:
    local.append("run-0", [table(["a"])])
    local.append("run-1", [table(["a", "b"])])
    before = {path.name: path.read_bytes() for path in tmp_path.rglob("*.parquet")}

    local.append("run-1", [table(["a", "b"])])

    assert {path.name: path.read_bytes() for path in tmp_path.rglob("*.parquet")} == before


def test_a_run_whose_name_begins_with_anothers_is_another(local: EmbeddingStore) -> None:
    local.append("run.1", [table(["a"])])

    assert local.append("run", [table(["a"])]) == 0


def test_the_files_are_plain_parquet_for_duckdb(local: EmbeddingStore) -> None:
    local.append("run-1", [table(["a", "b"])])

    query = f"select uri, embedding from read_parquet('{local.uri}/*.parquet') order by uri"  # noqa: S608  # our own folder
    rows = duckdb.execute(query).fetchall()

    assert [uri for uri, _ in rows] == ["a", "b"]
    found = np.array([np.frombuffer(value, "<f2") for _, value in rows])
    np.testing.assert_array_equal(found, values(["a", "b"]))


def test_a_slice_of_a_column_is_viewed_at_its_own_place() -> None:
    column = table(["a", "b", "c"])["embedding"].combine_chunks()
    np.testing.assert_array_equal(to_matrix(column.slice(1, 2)), values(["b", "c"]))


def test_a_store_that_is_not_there_has_no_keys(local: EmbeddingStore) -> None:
    assert keys(local) == []


def test_a_key_that_comes_twice_in_one_run_is_kept_once_over_all_its_files(
    local: EmbeddingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.embeddings.store.FILE_BYTES", 1)  # so each table is a file

    assert local.append("run", [table(["a", "b"]), table(["b"]), table(["c", "a"])]) == 3

    assert len(local.files) == 2
    assert sorted(keys(local)) == [("a", "a"), ("b", "b"), ("c", "c")]


def test_a_file_that_is_damaged_is_named_where_keys_are_looked_up(local: EmbeddingStore) -> None:
    local.append("run-1", [table(["a", "b"])])
    path = Path(local.files[0].uri)
    path.write_bytes(b"PAR1" + bytes(100) + path.read_bytes()[104:])

    with pytest.raises(InputError, match=f"^{path}: "):
        local.append("run-2", [table(["c"])])

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lib.embeddings.store import EmbeddingStore, to_matrix, to_table
from lib.errors import InputError
from lib.storage.config import StorageConfig
from lib.storage.parquet_reader import ParquetParts
from lib.storage.storage import Storage
from tests.conftest import Bucket
from tests.helpers.faults import only
from tests.helpers.proxy import FaultProxy

ROWS = 20_000  # three row groups
VALUES = np.random.default_rng(3).standard_normal((ROWS, 64)).astype(np.float16)


def write(root: str, storage: Storage) -> str:
    uris = pa.chunked_array([pa.array([f"{row:05d}.jpg" for row in range(ROWS)])])
    store = EmbeddingStore(root, "digest", storage)
    store.append("run", [to_table(uris, uris, VALUES)])
    return store.files[0].uri


def read(file: ParquetParts) -> pa.Table:
    return pa.concat_tables(file.read(g) for g in range(file.metadata.num_row_groups))


def is_whole(rows: pa.Table) -> bool:
    matrix = to_matrix(rows["embedding"].combine_chunks())
    return rows["uri"][ROWS - 1].as_py() == "19999.jpg" and np.array_equal(matrix, VALUES)


def test_bytes_that_flip_on_their_way_are_fetched_again(s3: Bucket) -> None:
    uri = write(s3.uri, Storage(StorageConfig()))
    faults = only("flip_byte", methods=("GET",), paths=r"\.parquet", first=1)
    with FaultProxy(s3.server.endpoint, faults) as proxy:
        storage = Storage(StorageConfig(endpoint_url=proxy.url))

        assert is_whole(read(ParquetParts(uri, storage, 4 * 2**20)))
        assert proxy.counts["flip_byte"] > 0


@pytest.mark.parametrize("part", [0.01, 0.2, 0.5, 0.8, 0.99])
def test_a_file_that_is_damaged_where_it_lies_is_named(tmp_path: Path, part: float) -> None:
    path = Path(write(str(tmp_path), Storage(StorageConfig())))
    data = bytearray(path.read_bytes())
    data[int(part * 2 * VALUES.size)] ^= 0xFF
    path.write_bytes(data)

    with pytest.raises(InputError, match=str(path)) as caught:
        read(ParquetParts(str(path), Storage(StorageConfig()), 4 * 2**20))

    assert "checksum" in str(caught.value)


@pytest.mark.parametrize(("data", "said"), [(b"no Parquet", "magic bytes"), (None, "not found")])
def test_what_is_no_file_of_the_kind_says_so(tmp_path: Path, data: bytes | None, said: str) -> None:
    path = tmp_path / "x.parquet"
    if data:
        path.write_bytes(data)

    with pytest.raises(InputError, match=f"{path}: .*{said}"):
        read(ParquetParts(str(path), Storage(StorageConfig()), 1024))

"""A Parquet file read in parts; bytes that flip on their way are noticed and fetched again."""

import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TypeVar

import pyarrow as pa
from botocore.exceptions import FlexibleChecksumError
from pyarrow import parquet

from lib.storage.errors import explained
from lib.storage.storage import Storage

T = TypeVar("T")


class ParquetParts:
    """A Parquet file, read one row group at a time; threads may share it.

    The checksums of its pages are verified, where it was written with them.
    """

    def __init__(self, uri: str, storage: Storage, block_bytes: int) -> None:
        """Keep the place; the file is opened at first use, and stays open.

        Args:
            uri: of the file.
            storage: how to reach it.
            block_bytes: read ahead of what is asked for.
        """
        self.uri = uri
        self._storage, self._block_bytes = storage, block_bytes
        self._lock = threading.Lock()  # the file has one place where it reads

    def again(self, block_bytes: int) -> "ParquetParts":
        """Return the same file, opened on its own, with another size of blocks."""
        return ParquetParts(self.uri, self._storage, block_bytes)

    @property
    def metadata(self) -> parquet.FileMetaData:
        """What the file's footer says.

        Raises:
            InputError: the file is not there, or is no Parquet file.
        """
        return self._ask(lambda file: file.metadata)

    @property
    def schema(self) -> pa.Schema:
        """The file's columns; raises what `metadata` raises."""
        return self.metadata.schema.to_arrow_schema()

    def read(self, group: int, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a row group, or some of its columns, on this thread.

        Raises:
            InputError: the file is not there, or is damaged.
        """
        wanted = None if columns is None else [*columns]
        return self._ask(lambda file: file.read_row_group(group, wanted, use_threads=False))

    @cached_property
    def _file(self) -> parquet.ParquetFile:
        filesystem, path = self._storage.open(self.uri)
        file = filesystem.open(path, "rb", block_size=self._block_bytes)
        # not pre-buffered: what is read would be held for as long as the file is open
        return parquet.ParquetFile(file, pre_buffer=False, page_checksum_verification=True)

    def _ask(self, question: Callable[[parquet.ParquetFile], T]) -> T:
        """Ask the file, and where it is damaged once more anew."""
        with self._lock:
            try:
                return question(self._file)
            except (OSError, pa.ArrowInvalid, FlexibleChecksumError):
                self.__dict__.pop("_file", None)  # with the bytes that it keeps
                with explained(self.uri):
                    return question(self._file)

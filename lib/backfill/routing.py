"""Which way each row of a labels table takes to a new taxonomy: by rule, model or pixels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from lib.backfill.relabel import Relabeller
from lib.batches import regroup
from lib.config.config import Config
from lib.embeddings.index import streamed_places
from lib.errors import InputError
from lib.labels.people import without_answers
from lib.runs.progress import plural
from lib.schemas import ITEM_SCHEMA, LABELS_SCHEMA
from lib.sql import read_rows
from lib.storage.parquet_reader import ParquetParts

UNIT_ROWS = 65_536  # a part each; two at a time hold 200 MB
SETTLED = pa.field("settled", pa.bool_(), nullable=False)
ROUTED_SCHEMA = LABELS_SCHEMA.append(pa.field("place", pa.int64()))

_COLUMNS = ", ".join(LABELS_SCHEMA.names)
# top_k is what makes rows wide, and the model makes its own
_SLIM = ", ".join("NULL AS top_k" if n == "top_k" else n for n in LABELS_SCHEMA.names)
_ITEM = ", ".join(
    n if n in ("item_id", "uri", "etag", "name") else f"NULL AS {n}" for n in ITEM_SCHEMA.names
)
BY_RULE = f"SELECT {_COLUMNS}, NULL::BIGINT AS place FROM rows_before WHERE settled"  # noqa: S608  # our own columns
PLACED = f"""CREATE TEMP TABLE placed AS
    SELECT {_SLIM}, s.place FROM (SELECT * FROM rows_before WHERE NOT settled) r
    LEFT JOIN (SELECT uri AS stored_uri, etag AS stored_etag, min(place) AS place
               FROM stored GROUP BY ALL) s
    ON r.uri = stored_uri AND r.etag IS NOT DISTINCT FROM stored_etag"""  # noqa: S608  # as above
BY_MODEL = f"SELECT {_COLUMNS}, place FROM placed WHERE place IS NOT NULL ORDER BY place"  # noqa: S608  # as above
BY_PIXELS = f"SELECT {_ITEM} FROM placed WHERE place IS NULL ORDER BY item_id"  # noqa: S608  # as above


class Route(StrEnum):
    """How a row gets its new label."""

    RULE = "rule"
    MODEL = "model"
    PIXELS = "pixels"


class Routes(Config):
    """How many rows take each route, and in which units of the plan they stand."""

    rule: int
    model: int
    pixels: int
    rule_units: int
    model_units: int

    @property
    def rows(self) -> int:
        """Rows of all routes."""
        return self.rule + self.model + self.pixels

    @property
    def sentence(self) -> str:
        """The routes for the person who waits."""
        ways = {
            "by rule": self.rule,
            "by the model on their embeddings": self.model,
            "by the model on their images, for want of an embedding": self.pixels,
        }
        said = [f"{rows:,} {way}" for way, rows in ways.items() if rows]
        return f"{plural(self.rows, 'row')} to settle: {', '.join(said) or 'none'}"


def settle(
    batches: Iterable[pa.RecordBatch], relabeller: Relabeller, target: Path, source: str
) -> None:
    """Write a table's rows to a local file, each with whether the rules settle it.

    Raises:
        InputError: a label is of another taxonomy than the migration begins with.
    """
    old = relabeller.migration.old
    known = pa.array(old.by_id, pa.string())
    with parquet.ParquetWriter(target, LABELS_SCHEMA.append(SETTLED), compression="lz4") as writer:
        for batch in batches:
            rows = pa.Table.from_batches([batch]).select(LABELS_SCHEMA.names).cast(LABELS_SCHEMA)
            labelled = rows.filter(pc.is_valid(rows["category_id"]))
            other = labelled.filter(pc.not_equal(labelled["taxonomy_version"], old.version))
            if other.num_rows:
                raise InputError(
                    f"{source}: the label of '{other['item_id'][0]}' is of taxonomy version "
                    f"{other['taxonomy_version'][0]}, the bundle's is {old.version}; name the "
                    "bundle that made the labels, or classify with 'night: {redo: [taxonomy]}'"
                )
            lost = labelled.filter(pc.invert(pc.is_in(labelled["category_id"], known)))
            if lost.num_rows:
                raise InputError(
                    f"{source}: '{lost['item_id'][0]}' is labelled '{lost['category_id'][0]}', "
                    f"which is not in the bundle's taxonomy version {old.version}"
                )
            # people's answers are laid over the new labels, from their own table
            rows = without_answers(rows, old)
            writer.write_table(rows.append_column(SETTLED, relabeller.is_settled(rows)))


@dataclass(frozen=True)
class RouteFiles:
    """Local files of a plan.

    Attributes:
        settled: what `settle` writes.
        plan: of `ROUTED_SCHEMA`, a row group per unit; rows for the model are in the order of their
            places.
        pixels: of `ITEM_SCHEMA`, the plan of the items that are read anew.
    """

    settled: Path
    plan: Path
    pixels: Path


class Router:
    """Sorts a table's rows by route, in a connection's bounded memory."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, files: RouteFiles) -> None:
        """Open what `settle` has written."""
        self._connection, self._files = connection, files
        self._counts, self._units = dict.fromkeys(Route, 0), dict.fromkeys(Route, 0)
        connection.read_parquet(str(files.settled)).create_view("rows_before")

    def write(self, stored: Sequence[ParquetParts], unit_size: int) -> Routes:
        """Write both plans; rows that the rules settle come first.

        Args:
            stored: files of the embedding store; read where the rules leave a row open.
            unit_size: items per unit of the plan of pixels.
        """
        (count,) = self._connection.execute(
            "SELECT count(*) FROM rows_before WHERE NOT settled"
        ).fetchall()[0]
        if count:
            with streamed_places(self._connection, stored, "stored"):
                self._connection.execute(PLACED)
        # as the plan of a night, both are read in pieces, which no etag vouches for
        kept = {"compression": "lz4", "write_page_checksum": True}
        with parquet.ParquetWriter(self._files.plan, ROUTED_SCHEMA, **kept) as writer:
            self._write(writer, BY_RULE, Route.RULE, UNIT_ROWS)
            if count:
                self._write(writer, BY_MODEL, Route.MODEL, UNIT_ROWS)
        with parquet.ParquetWriter(self._files.pixels, ITEM_SCHEMA, **kept) as writer:
            if count:
                self._write(writer, BY_PIXELS, Route.PIXELS, unit_size)
        return Routes(
            rule=self._counts[Route.RULE],
            model=self._counts[Route.MODEL],
            pixels=self._counts[Route.PIXELS],
            rule_units=self._units[Route.RULE],
            model_units=self._units[Route.MODEL],
        )

    def _write(self, writer: parquet.ParquetWriter, query: str, route: Route, rows: int) -> None:
        for unit in regroup(read_rows(self._connection, query, {}), rows):
            self._counts[route] += unit.num_rows
            self._units[route] += 1
            writer.write_batch(unit.cast(writer.schema))

"""The proof that nights have ended as if nothing had happened."""

import json
from collections.abc import Sequence

import pyarrow as pa

from tests.helpers.nights import Night
from tests.helpers.shop import Reader


def check(expected: pa.Table, *nights: Night) -> None:
    """Compare what nights have published in one table against what undisturbed ones published.

    Each item of the snapshots is one row, with the undisturbed label; each night that changes
    anything was one commit; the reader saw the table before, after, and between two commits, and
    nothing else.
    """
    shop, table = nights[0].shop, nights[0].table
    item_ids: set[str] = set()
    for night in nights:
        item_ids |= set(night.run.read_table("snapshot.parquet")["item_id"].to_pylist())
        planned = night.run.read_table("plan.parquet").num_rows
        totals = night.manifest.totals
        assert totals.items == planned == totals.labelled + totals.error_count
        assert night.run.outcome is not None
    rows = shop.rows(table)
    assert rows["item_id"].to_pylist() == sorted(item_ids)
    assert rows.equals(expected)
    commits = sum(night.changes > 0 for night in nights)
    versions = range(nights[0].before, nights[0].before + commits + 1)
    assert shop.version(table) == versions[-1]
    for night in nights:
        check_reader(night.reader, versions)
        wasted, units = night.wasted
        fraction = wasted / units if units else 0
        found = {"night": night.name, "wasted": wasted, "units": units, "fraction": fraction}
        print(json.dumps({**found, **night.proxy.counts}))  # noqa: T201  # the suite's own report


def check_reader(reader: Reader, versions: Sequence[int]) -> None:
    """Compare what a reader saw against the versions that there may be."""
    if reader.error:
        raise reader.error
    reader.look()
    assert set(reader.seen) <= set(versions)
    assert versions[-1] in reader.seen
    assert {version: len(states) for version, states in reader.seen.items()} == dict.fromkeys(
        reader.seen, 1
    )
    assert reader.looks > len(reader.seen)

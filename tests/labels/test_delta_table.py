import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lib.batches import to_parquet
from lib.errors import ConflictError, InputError, StoreError
from lib.labels.change import Change
from lib.labels.delta_open import DeltaPlace
from lib.labels.delta_table import LabelsTable
from lib.labels.history import Made, standing
from lib.labels.rows import stream_rows
from lib.schemas import LABELS_SCHEMA, TABLE_SCHEMA, as_labels
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.storage.uris import join
from tests.helpers import catalogs
from tests.helpers.jobs import run_job
from tests.helpers.proxy import FaultProxy

if TYPE_CHECKING:
    from tests.conftest import Bucket


class Shop:
    """A labels table, and a folder for the parts of the runs that are published to it."""

    def __init__(self, uri: str) -> None:
        self.storage = Storage(StorageConfig())
        self.uri, self.table_uri = uri, join(uri, "labels")

    def write(
        self, run_id: str, item_ids: Sequence[str], broken: Sequence[str], *, names: bool
    ) -> list[str]:
        """Write a run's labels as two parts; without names, as earlier versions wrote them."""
        rows = catalogs.label_rows(item_ids, run_id, broken=broken)
        place = rows.schema.get_field_index("name")
        titles = pa.array([f"Title of {each}" for each in item_ids])
        rows = (
            rows.set_column(place, LABELS_SCHEMA.field("name"), titles)
            if names
            else rows.remove_column(place)
        )
        half = rows.num_rows // 2
        parts = [join(self.uri, "runs", run_id, f"part-{n}.parquet") for n in range(2)]
        for part, table in zip(parts, (rows.slice(0, half), rows.slice(half)), strict=True):
            self.storage.write(part, to_parquet(table))
        return parts

    def plan(
        self,
        run_id: str,
        item_ids: Sequence[str],
        *,
        broken: Sequence[str] = (),
        whole_catalog: bool = True,
        names: bool = False,
    ) -> Change:
        """Plan a run against the table as it is now, and write what it is to publish."""
        base = self.labels.version()
        known = set() if base is None else set(self.runs())
        removed = join(self.uri, "runs", run_id, "removed.parquet")
        gone = sorted(known - set(item_ids)) if whole_catalog else []
        ids = pa.table({"item_id": pa.array(gone, pa.string())})
        self.storage.write(removed, to_parquet(ids))
        parts = self.write(run_id, item_ids, broken, names=names)
        made = Made(run_id=run_id, run=join(self.uri, "runs", run_id))
        return Change(run_id=run_id, base=base, parts=parts, removed=removed, made=made)

    def publish(
        self,
        run_id: str,
        item_ids: Sequence[str],
        *,
        broken: Sequence[str] = (),
        whole_catalog: bool = True,
    ) -> int:
        change = self.plan(run_id, item_ids, broken=broken, whole_catalog=whole_catalog)
        return self.labels.publish(change)

    @property
    def labels(self) -> LabelsTable:
        return LabelsTable(self.table_uri, self.storage)

    def table(self, version: int | None = None) -> DeltaTable:
        # delta-rs takes the store's address and keys from the environment, like its users do
        options = {"AWS_ALLOW_HTTP": "true"} if self.uri.startswith("s3:") else None
        return DeltaTable(self.table_uri, version=version, storage_options=options)

    def rows(self, version: int | None = None) -> pa.Table:
        return as_labels(pa.table(self.table(version).to_pyarrow_table())).sort_by("item_id")

    def runs(self, version: int | None = None) -> dict[str, str]:
        """Which run each item's row is of."""
        rows = self.rows(version)
        runs = dict(zip(rows["item_id"].to_pylist(), rows["run_id"].to_pylist(), strict=True))
        assert len(runs) == rows.num_rows
        return runs


@pytest.fixture
def shop(disk_or_s3: str) -> Shop:
    return Shop(disk_or_s3)


@pytest.fixture
def local_shop(tmp_path: Path) -> Shop:
    return Shop(str(tmp_path))


def test_the_first_publish_makes_version_0_with_every_row(shop: Shop) -> None:
    version = shop.publish("one", ["a", "b", "c"], broken=["b"])

    assert version == shop.table().version() == 0
    expected = catalogs.label_rows(["a", "b", "c"], "one", broken=["b"])
    assert shop.rows().equals(expected)


def test_a_whole_catalog_replaces_adds_and_removes_rows_by_item_id(shop: Shop) -> None:
    shop.publish("one", ["a", "b", "c"])

    version = shop.publish("two", ["b", "c", "d"], broken=["c"])

    assert version == 1
    assert shop.rows().equals(catalogs.label_rows(["b", "c", "d"], "two", broken=["c"]))


def test_the_history_says_which_run_made_each_version_the_newest_first(shop: Shop) -> None:
    assert shop.labels.history() == []
    for run_id in ("one", "two", "three"):
        shop.publish(run_id, ["a", "b"])

    found = shop.labels.history(2)

    assert [(each.number, each.made.run_id) for each in found] == [(2, "three"), (1, "two")]
    assert found[0].made.run == join(shop.uri, "runs", "three")
    assert datetime.now(UTC) - found[0].at < timedelta(minutes=5)
    assert shop.table().history(1)[0]["run_id"] == "three"


def test_what_was_rolled_back_no_longer_stands(local_shop: Shop) -> None:
    for run_id in ("one", "two", "three"):
        local_shop.publish(run_id, ["a", "b"])
    local_shop.labels.roll_back(1)
    local_shop.publish("four", ["a", "c"])

    history = local_shop.labels.history()

    assert [each.made.run_id for each in standing(history)] == ["four", "two", "one"]
    assert [each.restored for each in history] == [None, 1, None, None, None]


def test_a_delta_table_of_others_is_refused_by_the_column_that_it_lacks(local_shop: Shop) -> None:
    write_deltalake(local_shop.labels.name, pa.table({"item_id": ["a"], "uri": ["b"]}))

    with pytest.raises(InputError, match="no column 'etag', and is not a labels table"):
        local_shop.labels.version()


def test_a_part_of_the_catalog_leaves_the_other_rows(shop: Shop) -> None:
    shop.publish("one", ["a", "b", "c"])

    shop.publish("two", ["b", "d"], whole_catalog=False)

    assert shop.runs() == {"a": "one", "b": "two", "c": "one", "d": "two"}


def test_the_same_run_published_twice_lands_once(shop: Shop) -> None:
    shop.publish("one", ["a", "b"])
    shop.publish("two", ["b", "c"])

    assert shop.publish("two", ["b", "c"]) == 1
    assert shop.table().version() == 1


def test_an_old_run_published_again_does_not_undo_a_newer_one(local_shop: Shop) -> None:
    local_shop.publish("one", ["a", "b"])
    local_shop.publish("two", ["b", "c"])

    local_shop.publish("one", ["a", "b"])

    assert local_shop.runs() == {"b": "two", "c": "two"}


def test_the_old_version_stays_readable(shop: Shop) -> None:
    shop.publish("one", ["a", "b"])
    shop.publish("two", ["b", "c"])

    assert shop.runs(version=0) == {"a": "one", "b": "one"}


def test_the_table_has_the_columns_types_and_nullability_of_the_labels(shop: Shop) -> None:
    def described(schema: pa.Schema) -> list[tuple[str, str, bool]]:
        # the names of a list's values are the file format's own affair
        return [(f.name, str(f.type).replace("element", "item"), f.nullable) for f in schema]

    for run_id in ("one", "two"):
        shop.publish(run_id, ["a", "b"])
        schema = pa.schema(shop.table().schema().to_arrow())
        assert described(schema) == described(TABLE_SCHEMA)


@pytest.mark.parametrize("whole", [False, True])
def test_a_table_of_an_earlier_version_gets_names_with_the_next_run(
    shop: Shop, *, whole: bool
) -> None:
    shop.publish("one", ["a", "b"])
    earlier = shop.rows().drop_columns(["name"])
    table = join(shop.uri, "earlier")
    options = {"AWS_ALLOW_HTTP": "true"} if shop.uri.startswith("s3:") else None
    write_deltalake(table, earlier, storage_options=options)
    shop.table_uri = table
    assert shop.labels.read()["name"].to_pylist() == [None, None]

    change = shop.plan("two", ["b", "c"], whole_catalog=False, names=True)
    shop.labels.publish(replace(change, whole=whole))

    rows = shop.labels.read().sort_by("item_id")
    named = {"b": "Title of b", "c": "Title of c"}
    known = named if whole else {"a": None, **named}
    assert dict(zip(*(rows[n].to_pylist() for n in ("item_id", "name")), strict=True)) == known


def last_labels(shop: Shop) -> dict[str, tuple[str | None, bool]]:
    """Return, by item, the label that it had before, and whether it is known since when."""
    rows = shop.table().to_pyarrow_table().to_pylist()
    return {
        row["item_id"]: (row["last_category_id"], row["last_classified_at"] is not None)
        for row in rows
    }


@pytest.mark.parametrize("whole", [False, True])
def test_the_label_that_an_error_takes_the_place_of_is_kept(shop: Shop, *, whole: bool) -> None:
    shop.publish("one", ["a", "b", "c"])
    (label,) = [row for row in shop.rows().to_pylist() if row["item_id"] == "b"]

    for run_id in ("two", "three"):  # an error after an error keeps it, too
        shop.labels.publish(replace(shop.plan(run_id, ["a", "b", "c"], broken=["b"]), whole=whole))

        rows = shop.table().to_pyarrow_table().to_pylist()
        (error,) = [row for row in rows if row["item_id"] == "b"]
        assert error["category_id"] is None
        assert error["last_category_id"] == label["category_id"]
        assert error["last_classified_at"] == label["classified_at"]
        nothing = (None, False)
        assert {**last_labels(shop), "b": nothing} == dict.fromkeys("abc", nothing)


def test_a_new_label_takes_the_place_of_the_last_one(local_shop: Shop) -> None:
    local_shop.publish("one", ["a"])
    local_shop.publish("two", ["a"], broken=["a"])
    local_shop.publish("three", ["a"])

    assert last_labels(local_shop) == {"a": (None, False)}


def test_an_item_that_never_had_a_label_has_no_last_one(local_shop: Shop) -> None:
    local_shop.publish("one", ["a"], broken=["a"])
    local_shop.publish("two", ["a"], broken=["a"])

    assert last_labels(local_shop) == {"a": (None, False)}


@pytest.mark.parametrize("whole", [False, True])
def test_a_table_of_an_earlier_version_gets_the_columns_with_its_next_run(
    local_shop: Shop, *, whole: bool
) -> None:
    rows = catalogs.label_rows(["a", "b"], "early")
    write_deltalake(local_shop.labels.name, rows)

    change = local_shop.plan("late", ["a", "b"], broken=["b"])
    local_shop.labels.publish(replace(change, whole=whole))

    label = rows.to_pylist()[1]["category_id"]
    assert last_labels(local_shop) == {"a": (None, False), "b": (label, True)}


def test_duckdb_reads_the_table_that_deltalake_lists(local_shop: Shop) -> None:
    local_shop.publish("one", ["a", "b", "c"], broken=["b"])
    files = local_shop.table().file_uris()

    query = "select item_id from read_parquet($files) where error is null order by 1"
    assert duckdb.execute(query, {"files": files}).fetchall() == [("a",), ("c",)]


def test_a_part_that_is_not_there_leaves_the_table_as_it_was(local_shop: Shop) -> None:
    local_shop.publish("one", ["a", "b"])
    change = local_shop.plan("two", ["b", "c"])
    missing = replace(change, parts=[*change.parts, join(local_shop.uri, "part-7.parquet")])

    with pytest.raises(InputError, match="part-7"):
        local_shop.labels.publish(missing)

    assert local_shop.table().version() == 0
    assert set(local_shop.runs().values()) == {"one"}


def test_a_first_publish_that_fails_leaves_no_table(local_shop: Shop) -> None:
    change = local_shop.plan("one", ["a"])

    with pytest.raises(InputError, match="part-7"):
        local_shop.labels.publish(replace(change, parts=[join(local_shop.uri, "part-7.parquet")]))

    assert not DeltaTable.is_deltatable(local_shop.table_uri)
    assert local_shop.publish("one", ["a"]) == 0


def test_a_table_that_cannot_be_opened_is_an_input_error_in_one_line(local_shop: Shop) -> None:
    (Path(local_shop.uri) / "labels").write_text("a file stands where the table should be")

    with pytest.raises(InputError, match="the labels table cannot be opened") as caught:
        local_shop.publish("one", ["a"])

    assert "\n" not in str(caught.value)


def test_a_damaged_log_is_one_sentence_that_says_what_to_do(local_shop: Shop) -> None:
    local_shop.publish("one", ["a"])
    (log,) = (Path(local_shop.table_uri) / "_delta_log").glob("*.json")
    log.write_text(log.read_text()[:40])

    result = run_job("history", local_shop.table_uri)

    assert result.exit_code == InputError.exit_code
    assert f"its log, {local_shop.table_uri}/_delta_log, is damaged or not whole" in result.stderr
    assert "restore it from a backup, or run with --full and another" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def spoil(monkeypatch: pytest.MonkeyPatch, shop: Shop, times: int) -> None:
    """Damage a byte of the log each time that a table has been opened by it, so many times."""
    (log,) = (Path(shop.table_uri) / "_delta_log").glob("*.json")
    whole, opened, left = log.read_bytes(), DeltaPlace.open, [times]

    def opened_and_spoilt(place: DeltaPlace, version: int | None = None) -> DeltaTable | None:
        log.write_bytes(whole)
        table = opened(place, version)
        if left[0]:
            left[0] -= 1
            log.write_bytes(whole.replace(b"commitInfo", b"commit\xffnfo"))
        return table

    monkeypatch.setattr(DeltaPlace, "open", opened_and_spoilt)


def test_a_log_that_is_damaged_on_its_way_is_read_again_by_who_publishes(
    local_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_shop.publish("one", ["a"])
    change = local_shop.plan("two", ["b"])
    spoil(monkeypatch, local_shop, 1)

    assert local_shop.labels.publish(change) == 1


def test_a_log_that_is_damaged_after_the_table_was_opened_is_one_sentence(
    local_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_shop.publish("one", ["a"])
    change = local_shop.plan("two", ["b"])
    spoil(monkeypatch, local_shop, 99)

    with pytest.raises(StoreError, match=r"the labels table cannot be written: ") as publishing:
        local_shop.labels.publish(change)
    with pytest.raises(InputError, match=r"the labels table cannot be read: ") as reading:
        local_shop.labels.history()

    for caught in (publishing, reading):
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"PAR1 and no more", None], ids=["damaged", "gone"])
def test_a_file_of_the_table_that_cannot_be_read_is_one_sentence(
    local_shop: Shop, content: bytes | None
) -> None:
    local_shop.publish("one", ["a"])
    (file,) = Path(local_shop.table_uri).glob("*.parquet")
    file.unlink()
    if content:
        file.write_bytes(content)

    with pytest.raises(InputError, match="one of its files is damaged or gone; restore") as caught:
        local_shop.labels.read()

    assert "\n" not in str(caught.value)


def test_a_store_that_goes_away_while_a_table_is_read_is_no_damage(
    s3: "Bucket", monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultProxy(s3.server.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        shop = Shop(s3.uri)
        shop.publish("one", ["a"])
        table = shop.table()
        proxy.down()

        with pytest.raises(StoreError) as caught:
            list(stream_rows(table, LABELS_SCHEMA, "labels"))

    unreachable = f"the store cannot be reached: nothing answers at {proxy.url} (HTTP error: "
    assert str(caught.value).startswith(f"labels: the labels table cannot be read: {unreachable}")


def test_a_file_of_the_table_that_may_not_be_read_is_no_damage(local_shop: Shop) -> None:
    local_shop.publish("one", ["a"])
    (file,) = Path(local_shop.table_uri).glob("*.parquet")
    file.unlink()
    file.symlink_to(file)  # as a refusal, which whoever is root never meets

    with pytest.raises(StoreError, match="Too many levels of symbolic links"):
        local_shop.labels.read()


@pytest.mark.usefixtures("s3")
def test_a_table_in_a_bucket_that_is_not_there_is_named() -> None:
    result = run_job("history", "s3://reshelve-no-such-bucket/labels")

    assert result.exit_code == InputError.exit_code
    sentence = "the labels table cannot be opened: the bucket does not exist\n"
    assert result.stderr == f"error: s3://reshelve-no-such-bucket/labels: {sentence}"


def test_a_store_that_does_not_answer_is_named_with_its_address(
    s3: "Bucket", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    result = run_job("history", f"{s3.uri}/labels")

    assert result.exit_code == StoreError.exit_code
    assert "the store cannot be reached: nothing answers at http://127.0.0.1:9 (" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_table_without_credentials_is_one_sentence(s3_without_keys: "Bucket") -> None:
    result = run_job("history", f"{s3_without_keys.uri}/labels")

    assert result.exit_code == InputError.exit_code
    assert "there are no credentials for the store; set AWS_ACCESS_KEY_ID" in result.stderr


def test_a_table_at_a_store_that_nobody_knows_is_refused() -> None:
    result = run_job("history", "s4://shop/labels")

    assert result.exit_code == InputError.exit_code
    assert "no store is known by 's4://'" in result.stderr


def test_two_publishers_of_one_run_commit_it_once(shop: Shop) -> None:
    shop.publish("one", ["a", "b"])
    change = shop.plan("two", ["b", "c"])

    with ThreadPoolExecutor(2) as pool:
        versions = list(pool.map(lambda _: shop.labels.publish(change), range(2)))

    assert versions == [1, 1]
    assert shop.table().version() == 1
    assert shop.runs() == {"b": "two", "c": "two"}


def test_a_run_is_put_on_top_of_another_that_has_other_items(shop: Shop) -> None:
    shop.publish("one", ["a", "b", "c"])
    late = shop.plan("late", ["a"], whole_catalog=False)
    shop.publish("early", ["b"], whole_catalog=False)

    assert shop.labels.publish(late) == 2
    assert shop.runs() == {"a": "late", "b": "early", "c": "one"}


@pytest.mark.parametrize("theirs", [["a", "b"], ["b", "new"]])
def test_a_run_that_comes_second_to_the_same_items_is_a_conflict(
    local_shop: Shop, theirs: list[str]
) -> None:
    local_shop.publish("one", ["a", "b", "c"])
    late = local_shop.plan("late", ["a", "new"], whole_catalog=False)
    local_shop.publish("early", theirs, whole_catalog=False)
    before = local_shop.runs()

    with pytest.raises(ConflictError, match="another has published 1 of the same items"):
        local_shop.labels.publish(late)

    assert local_shop.runs() == before


def test_a_row_that_another_run_removed_is_a_conflict_too(local_shop: Shop) -> None:
    local_shop.publish("one", ["a", "b"])
    late = local_shop.plan("late", ["a"], whole_catalog=False)
    local_shop.publish("early", ["b"])

    with pytest.raises(ConflictError):
        local_shop.labels.publish(late)


def test_two_first_runs_of_other_items_both_land(local_shop: Shop) -> None:
    one = local_shop.plan("one", ["a"])
    two = local_shop.plan("two", ["b"])

    local_shop.labels.publish(one)
    local_shop.labels.publish(two)

    assert local_shop.runs() == {"a": "one", "b": "two"}


def test_two_first_runs_of_the_same_items_at_once_never_double_a_row(shop: Shop) -> None:
    changes = [shop.plan(run_id, ["a", "b"]) for run_id in ("one", "two")]

    def publish(change: Change) -> str:
        try:
            shop.labels.publish(change)
        except ConflictError:
            return "conflict"
        return change.run_id

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(publish, changes))

    assert "conflict" in ends
    (landed,) = set(ends) - {"conflict"}
    assert shop.runs() == {"a": landed, "b": landed}


def test_many_runs_of_other_items_at_once_all_land(shop: Shop) -> None:
    shop.publish("base", ["z"])
    changes = [shop.plan(f"run-{n}", [f"{n}"], whole_catalog=False) for n in range(4)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(shop.labels.publish, changes))

    assert shop.runs() == {"z": "base", **{f"{n}": f"run-{n}" for n in range(4)}}


def test_a_run_can_remove_rows_and_add_none(shop: Shop) -> None:
    shop.publish("one", ["a", "b"])
    change = replace(shop.plan("two", ["a"]), parts=[])

    shop.labels.publish(change)

    assert shop.runs() == {"a": "one"}


def whole(change: Change) -> Change:
    return replace(change, removed=None, whole=True)


def test_a_run_of_the_whole_table_takes_the_place_of_all_its_rows(shop: Shop) -> None:
    shop.publish("one", ["a", "b", "c"])
    change = whole(shop.plan("two", ["a", "b", "c"], broken=["c"]))

    assert shop.labels.publish(change) == shop.labels.publish(change) == 1

    assert shop.rows().equals(catalogs.label_rows(["a", "b", "c"], "two", broken=["c"]))
    assert shop.runs(version=0) == {"a": "one", "b": "one", "c": "one"}
    assert shop.labels.roll_back(0) == 2
    assert set(shop.runs().values()) == {"one"}


def test_after_a_run_of_the_whole_table_others_are_put_on_top(shop: Shop) -> None:
    shop.publish("one", ["a", "b"])
    shop.labels.publish(whole(shop.plan("two", ["a", "b"])))

    shop.publish("three", ["b", "c"])

    assert shop.runs() == {"b": "three", "c": "three"}


@pytest.mark.parametrize("theirs", [["b"], ["new"]])
def test_any_change_meanwhile_is_a_conflict_to_a_run_of_the_whole_table(
    local_shop: Shop, theirs: list[str]
) -> None:
    local_shop.publish("one", ["a", "b"])
    late = whole(local_shop.plan("late", ["a", "b"]))
    local_shop.publish("early", theirs, whole_catalog=False)
    before = local_shop.runs()

    with pytest.raises(ConflictError, match="another has published 1"):
        local_shop.labels.publish(late)

    assert local_shop.runs() == before


def test_rolling_back_brings_the_rows_of_a_version_back_as_a_new_one(shop: Shop) -> None:
    shop.publish("one", ["a", "b"])
    shop.publish("two", ["b", "c"])

    assert shop.labels.roll_back(0) == 2
    assert shop.runs() == {"a": "one", "b": "one"}


def test_a_version_that_never_was_cannot_be_brought_back(local_shop: Shop) -> None:
    local_shop.publish("one", ["a"])
    with pytest.raises(InputError, match="version 7"):
        local_shop.labels.roll_back(7)


def test_the_newest_version_need_not_be_brought_back(local_shop: Shop) -> None:
    local_shop.publish("one", ["a"])
    with pytest.raises(InputError, match="version 0 is the newest"):
        local_shop.labels.roll_back(0)

    assert local_shop.labels.version() == 0


def test_a_reader_meanwhile_sees_only_whole_versions(shop: Shop) -> None:
    item_ids = [f"{n:04d}" for n in range(2000)]
    shop.publish("run-0", item_ids)
    seen: list[tuple[int, set[str]]] = []
    done = threading.Event()

    def poll() -> None:
        while not done.is_set():
            table = shop.table().to_pyarrow_table()
            seen.append((table.num_rows, set(table["run_id"].to_pylist())))

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(poll)
        try:
            for number in range(1, 5):
                shop.publish(f"run-{number}", item_ids)
        finally:
            done.set()
        reader.result()

    assert len({next(iter(runs)) for _, runs in seen}) > 1
    for count, runs in seen:
        assert (count, len(runs)) == (len(item_ids), 1)

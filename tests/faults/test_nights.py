from collections.abc import Collection
from dataclasses import dataclass

import pyarrow as pa
import pytest

from tests.helpers import catalogs
from tests.helpers.jobs import start
from tests.helpers.nights import Night, shard, succeeded
from tests.helpers.proof import check
from tests.helpers.shop import FILES, Shop

pytestmark = [
    pytest.mark.ray,
    pytest.mark.s3,
    pytest.mark.faults,
    pytest.mark.timeout(480),
]


def errors_of(rows: pa.Table, among: Collection[str] | None = None) -> dict[str, str]:
    """Reasons by item, of the items that have no label."""
    pairs = zip(rows["item_id"].to_pylist(), rows["error"].to_pylist(), strict=True)
    return {name: error for name, error in pairs if error and (among is None or name in among)}


def test_an_image_overwritten_during_the_run_is_an_error_and_the_next_nights_label(
    shop: Shop,
) -> None:
    shop.copy("images", "overwritten")
    name = sorted(FILES)[-6]
    with Night(shop, "overwritten-1", images="overwritten") as night:
        driver = night.start_until(shard(2))
        shop.bucket.put(f"overwritten/{name}", catalogs.encode(catalogs.draw(900), name[4:]))
        night.proxy.release()
        succeeded(driver)
        rows = shop.rows(night.table)
        check(rows, night)
        assert errors_of(rows) == {**errors_of(rows, catalogs.BROKEN), name: "changed"}
    with Night(shop, "overwritten-2", images="overwritten", table=night.table) as night:
        night.finish()
        assert night.manifest.totals.items == 1
        rows = shop.rows(night.table)
        check(rows, night)
        assert name not in errors_of(rows)


def test_an_image_deleted_during_the_run_is_an_error_and_leaves_the_next_night(
    shop: Shop,
) -> None:
    shop.copy("images", "deleted")
    name = sorted(FILES)[-6]
    with Night(shop, "deleted-1", images="deleted") as night:
        driver = night.start_until(shard(2))
        shop.delete(f"deleted/{name}")
        night.proxy.release()
        succeeded(driver)
        rows = shop.rows(night.table)
        check(rows, night)
        assert errors_of(rows) == {**errors_of(rows, catalogs.BROKEN), name: "gone"}
    with Night(shop, "deleted-2", images="deleted", table=night.table) as night:
        night.finish()
        assert night.manifest.totals.items == 0
        check(rows.filter(pa.compute.not_equal(rows["item_id"], name)).combine_chunks(), night)


def test_a_second_run_of_the_same_night_changes_nothing(shop: Shop, undisturbed: pa.Table) -> None:
    shop.copy("undisturbed/labels", "again/labels")
    with Night(shop, "again") as night:
        said = night.finish()
        assert night.changes == 0
        assert f"{len(FILES)} unchanged" in said
        check(undisturbed, night)
        assert "run again (resumed) has ended before" in night.finish()
        check(undisturbed, night)


@dataclass(frozen=True)
class SecondNight:
    """A catalog that has changed since a first night, that night's table, and what to expect."""

    images: str
    table: str
    expected: pa.Table


@pytest.fixture(scope="module")
def second_night(shop: Shop) -> SecondNight:
    shop.copy("images", "second")
    with Night(shop, "second-first", images="second") as night:
        night.finish()
        table = night.table
        shop.copy(table, "second-undisturbed/labels")
    names = sorted(FILES)
    for name in names[:7]:
        shop.delete(f"second/{name}")
    for name in names[7:21]:
        data = catalogs.encode(catalogs.draw(int(name[:3]) + 700), name[4:])
        shop.bucket.put(f"second/{name}", data)
    for name, data in catalogs.pictures(8, first=100).items():
        shop.bucket.put(f"second/{name}", data)
    with Night(shop, "second-undisturbed", images="second") as night:
        night.finish()
        rows = shop.rows(night.table)
        check(rows, night)
        assert night.manifest.totals.items == 22
    return SecondNight("second", table, rows)


@pytest.mark.parametrize(("moment", "step"), [("before", "shard"), ("after", "commit")])
def test_a_second_night_killed_in_the_middle_ends_as_if_nothing_had_happened(
    shop: Shop, second_night: SecondNight, moment: str, step: str
) -> None:
    request = {"shard": shard(3), "commit": "^PUT .*/_delta_log/.*[.]json"}[step]
    name = f"second-{moment}-{step}"
    shop.copy(second_night.table, f"{name}/labels")
    with Night(shop, name, images=second_night.images) as night:
        night.kill_at(request, after=moment == "after")
        night.finish()
        check(second_night.expected, night)
        assert night.manifest.totals.items == 22


def test_a_run_that_is_published_later_ends_like_one_that_is_published_at_once(
    shop: Shop, undisturbed: pa.Table
) -> None:
    with Night(shop, "later") as night:
        night.finish("--no-publish")
        assert shop.version(night.table) == -1
        succeeded(start("jobs.publish", night.run.uri, "--run-file", night.run_file))
        check(undisturbed, night)

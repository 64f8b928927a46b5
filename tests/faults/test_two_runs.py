import subprocess

import pyarrow as pa
import pytest

from tests.helpers.jobs import wait_until
from tests.helpers.nights import LONGEST_S, Night, ended, sentences, succeeded
from tests.helpers.proof import check
from tests.helpers.shop import FILES, Shop

pytestmark = [pytest.mark.ray, pytest.mark.s3, pytest.mark.timeout(480)]

MANIFEST = "^PUT .*/manifest.json"


def test_of_two_runs_with_the_same_items_one_lands_and_the_other_ends_with_4(
    shop: Shop, undisturbed: pa.Table
) -> None:
    with Night(shop, "twin-1") as one, Night(shop, "twin-2", table=one.table) as other:
        both = {night.name: night for night in (one, other)}
        drivers = start_both(one, other)
        found = {name: ended(driver) for name, driver in zip(both, drivers, strict=True)}
        codes = {code: name for name, (code, _, _) in found.items()}
        assert set(codes) == {0, 4}, found
        sentence = found[codes[4]][2]
        assert f"has published {len(FILES)} of the same items" in sentence
        assert sentences(sentence) == 1
        check(undisturbed, both[codes[0]])


@pytest.mark.faults
def test_two_runs_with_other_items_both_land(shop: Shop, undisturbed: pa.Table) -> None:
    for place, (name, data) in enumerate(FILES.items()):
        shop.bucket.put(f"half-{place % 2}/{name}", data)
    with (
        Night(shop, "half-a", images="half-0") as one,
        Night(shop, "half-b", images="half-1", table=one.table) as other,
    ):
        for driver in start_both(one, other):
            succeeded(driver)
        # the same items and labels, but in two folders
        rows = shop.rows(one.table)
        assert without_uri(rows).equals(without_uri(undisturbed))
        check(rows, one, other)


def start_both(*nights: Night) -> list[subprocess.Popen[str]]:
    """Start commands that all come to their publication at once."""
    for night in nights:
        night.proxy.hold(MANIFEST)
    drivers = [night.start() for night in nights]
    wait_until(lambda: all(night.proxy.held for night in nights), at_most_s=LONGEST_S)
    for night in nights:
        night.proxy.release()
    return drivers


def without_uri(rows: pa.Table) -> pa.Table:
    return rows.drop_columns(["uri", "error_detail"])

import os
import subprocess
import time

import pyarrow as pa
import pytest

from tests.helpers.faults import ANSWERS, Faults, only, storm
from tests.helpers.nights import Night, ended, sentences, shard, succeeded
from tests.helpers.proof import check
from tests.helpers.shop import FILES, Shop

pytestmark = [pytest.mark.ray, pytest.mark.s3, pytest.mark.timeout(480)]

SEED = int(os.environ.get("RESHELVE_FAULT_SEED", "0"))
MANIFEST, COMMIT = "^PUT .*/manifest.json", "^PUT .*_delta_log/"
TRIES = 6  # of a run in a storm


@pytest.mark.faults
def test_a_storm_over_the_whole_run_changes_no_label(shop: Shop, undisturbed: pa.Table) -> None:
    with Night(shop, "storm", faults=Faults(seed=SEED, **storm(0.03))) as night:
        for _ in range(TRIES):
            code, _, stderr = ended(night.start())
            if code == 0:
                break
            # a try that the storm has ended says so in one sentence
            print(f"storm: exit code {code}: {stderr}")  # noqa: T201  # the suite's own report
            assert "Traceback" not in stderr
        assert code == 0, stderr
        check(undisturbed, night)


@pytest.mark.faults
def test_a_store_that_answers_every_fifth_request_with_503_costs_nothing(
    shop: Shop, undisturbed: pa.Table
) -> None:
    with Night(shop, "slow-down", faults=Faults(seed=SEED, slow_down=0.2)) as night:
        night.finish()
        check(undisturbed, night)
        assert night.proxy.counts["slow_down"] >= night.proxy.counts["requests"] / 10


def test_bodies_that_are_cut_and_bytes_that_are_flipped_change_no_label(
    shop: Shop, undisturbed: pa.Table
) -> None:
    faults = Faults(
        seed=SEED, cut_body=0.15, flip_byte=0.15, methods=("GET",), paths="/images/[^?]"
    )
    with Night(shop, "spoilt", faults=faults) as night:
        night.finish()
        check(undisturbed, night)
        counts = night.proxy.counts
        assert counts["cut_body"] > 0
        assert counts["flip_byte"] > 0


@pytest.mark.faults
def test_a_store_that_is_away_for_some_seconds_costs_nothing(
    shop: Shop, undisturbed: pa.Table
) -> None:
    with Night(shop, "away") as night:
        driver = night.start_until(shard(3))
        night.proxy.down()
        night.proxy.drop()
        time.sleep(3)
        night.proxy.up()
        succeeded(driver)
        check(undisturbed, night)


@pytest.mark.faults
def test_a_store_that_is_away_for_good_is_one_sentence_and_the_same_command_goes_on(
    shop: Shop, undisturbed: pa.Table
) -> None:
    with Night(shop, "gone") as night:
        end_without_store(night, shard(3))
        night.finish()
        check(undisturbed, night)


@pytest.mark.faults
@pytest.mark.parametrize("request_", [MANIFEST, COMMIT])
def test_a_store_that_goes_away_after_the_last_unit_is_one_sentence_too(
    classified: Night, undisturbed: pa.Table, request_: str
) -> None:
    end_without_store(classified, request_)
    classified.finish()
    check(undisturbed, classified)


def end_without_store(night: Night, request: str) -> None:
    driver = night.start_until(request)
    night.proxy.down()
    night.proxy.drop()
    ends_with_one_sentence(driver)
    night.proxy.up()


def ends_with_one_sentence(driver: subprocess.Popen[str], reason: str = "") -> None:
    code, _, stderr = ended(driver)
    print(f"exit code {code}: {stderr}")  # noqa: T201  # the suite's own report
    assert (code, sentences(stderr)) == (1, 1), stderr
    assert reason in stderr


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["disk_full", "quota_exceeded"])
def test_a_store_without_room_is_one_sentence_and_the_same_command_goes_on(
    shop: Shop, undisturbed: pa.Table, kind: str
) -> None:
    with Night(shop, kind) as night:
        end_without_room(night, shard(3), kind)
        night.finish()
        check(undisturbed, night)


@pytest.mark.faults
def test_a_store_without_room_for_the_commit_is_one_sentence_too(
    classified: Night, undisturbed: pa.Table
) -> None:
    end_without_room(classified, COMMIT, "quota_exceeded")
    classified.finish()
    check(undisturbed, classified)


def end_without_room(night: Night, request: str, kind: str) -> None:
    driver = night.start_until(request)
    night.proxy.inflict(only(kind, methods=("PUT", "POST")))
    night.proxy.drop()
    ends_with_one_sentence(driver, ANSWERS[kind][1])
    night.proxy.inflict(Faults())


@pytest.mark.faults
def test_a_prefix_that_may_not_be_read_costs_its_items_alone_and_them_for_a_night(
    shop: Shop, undisturbed: pa.Table
) -> None:
    forbidden = {name for name in FILES if name.startswith("00")}
    faults = only("access_denied", methods=("GET",), paths="/images/00")
    with Night(shop, "forbidden-1", faults=faults) as night:
        night.finish()
        rows = shop.rows(night.table)
        check(rows, night)
        is_forbidden = pa.array([name in forbidden for name in rows["item_id"].to_pylist()])
        assert set(rows.filter(is_forbidden)["error"].to_pylist()) == {"fetch_failed"}
        is_allowed = pa.compute.invert(is_forbidden)
        assert rows.filter(is_allowed).equals(undisturbed.filter(is_allowed))
    with Night(shop, "forbidden-2", table=night.table) as night:
        night.finish()
        assert night.manifest.totals.items == len(forbidden)
        check(undisturbed, night)

import contextlib
import itertools
import os
import random
import subprocess
from collections.abc import Iterable

import pyarrow as pa
import pytest
from _pytest.mark import ParameterSet

from lib.models.options import UNITS_AT_ONCE
from tests.helpers.nights import Night, kill, shard
from tests.helpers.proof import check
from tests.helpers.shop import Shop

pytestmark = [pytest.mark.ray, pytest.mark.s3, pytest.mark.timeout(480)]

SEED = os.environ.get("RESHELVE_FAULT_SEED", "0")
# the request that ends each step of a night
STEPS = {
    "snapshot": "^PUT .*/snapshot.parquet",
    "plan": "^PUT .*/plan.parquet",
    "night": "^PUT .*/night.json",
    "shard": shard(5),
}
LAST_STEPS = {
    "compaction": "^PUT .*/labels/part-00000",
    "manifest": "^PUT .*/manifest.json",
    "commit": "^PUT .*/_delta_log/.*[.]json",
    "outcome": "^PUT .*/outcome.json",
}
MOMENTS = ("before", "after")
IN_MAKE_TEST = {("before", "shard"), ("after", "commit")}


def moments_of(steps: Iterable[str]) -> list[ParameterSet]:
    return [
        pytest.param(*each, marks=[] if each in IN_MAKE_TEST else pytest.mark.faults)
        for each in itertools.product(MOMENTS, steps)
    ]


@pytest.mark.parametrize(("moment", "step"), moments_of(STEPS))
def test_a_driver_killed_at_a_step_and_run_again_ends_as_if_nothing_had_happened(
    shop: Shop, undisturbed: pa.Table, moment: str, step: str
) -> None:
    with Night(shop, f"killed-{moment}-{step}") as night:
        night.kill_at(STEPS[step], after=moment == "after")
        night.finish()
        check(undisturbed, night)
        assert night.wasted[0] <= UNITS_AT_ONCE


@pytest.mark.parametrize(("moment", "step"), moments_of(LAST_STEPS))
def test_a_driver_killed_after_the_last_unit_and_run_again_ends_as_if_nothing_had_happened(
    classified: Night, undisturbed: pa.Table, moment: str, step: str
) -> None:
    classified.kill_at(LAST_STEPS[step], after=moment == "after")
    classified.finish()
    check(undisturbed, classified)
    assert classified.wasted[0] == 0


@pytest.mark.faults
def test_a_job_killed_at_random_moments_ends_as_if_nothing_had_happened(
    shop: Shop, undisturbed: pa.Table
) -> None:
    dice = random.Random(SEED)  # noqa: S311  # must repeat
    with Night(shop, "random") as night:
        for _ in range(2):
            # a Ray of its own, which dies with it
            driver = night.start(ray="")
            with contextlib.suppress(subprocess.TimeoutExpired):
                driver.wait(dice.uniform(3, 25))
            kill(driver)
        night.finish(ray="")
        check(undisturbed, night)
        assert night.wasted[0] <= 2 * UNITS_AT_ONCE  # two kills

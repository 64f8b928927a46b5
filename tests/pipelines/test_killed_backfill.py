import itertools
from pathlib import Path

import pytest

from tests.conftest import Bucket
from tests.helpers.jobs import finish, start, wait_until
from tests.helpers.nights import kill
from tests.helpers.proxy import FaultProxy
from tests.pipelines.test_backfill_on_s3 import Move

pytestmark = [pytest.mark.s3, pytest.mark.timeout(480)]

# the request that ends each step of a backfill
STEPS = {
    "bundle": "^PUT .*/bundle/bundle.json",
    "plan": "^PUT .*/plan.parquet",
    "part": "^PUT .*/labels/part-00001",
    "manifest": "^PUT .*/manifest.json",
    "commit": "^PUT .*/_delta_log/.*[.]json",
    "outcome": "^PUT .*/outcome.json",
}
IN_MAKE_TEST = {("before", "part")}


@pytest.mark.parametrize(
    ("moment", "step"),
    [
        pytest.param(*each, marks=[] if each in IN_MAKE_TEST else pytest.mark.faults)
        for each in itertools.product(("before", "after"), STEPS)
    ],
)
def test_a_backfill_killed_at_a_step_and_run_again_ends_as_if_nothing_had_happened(
    s3: Bucket, tmp_path: Path, moment: str, step: str
) -> None:
    undisturbed, move = Move(s3, "undisturbed"), Move(s3, "killed")
    undisturbed.prepare()
    # a process too: another number of threads, as other tests leave behind, is another last bit
    code, _, errors = finish(start("jobs.backfill", undisturbed.write_run_file(tmp_path)))
    assert code == 0, errors
    move.prepare()
    with FaultProxy(s3.server.endpoint) as proxy:
        run_file = move.write_run_file(tmp_path, proxy.url)
        proxy.hold(STEPS[step], after=moment == "after")
        driver = start("jobs.backfill", run_file)
        wait_until(lambda: proxy.held > 0 or driver.poll() is not None)
        assert driver.poll() is None, driver.communicate()
        kill(driver)
        proxy.drop()

        code, said, errors = finish(start("jobs.backfill", run_file))

    assert code == 0, said + errors
    assert "resumed" in said
    assert move.table().version() == 1
    assert move.rows().to_pylist() == undisturbed.rows().to_pylist()

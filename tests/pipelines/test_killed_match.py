import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyarrow import parquet

from lib.runs.run import open_folder
from tests.conftest import Bucket
from tests.helpers import catalogs
from tests.helpers.jobs import finish, start, wait_until
from tests.helpers.nights import kill
from tests.helpers.proxy import FaultProxy
from tests.matching import made

pytestmark = [pytest.mark.s3, pytest.mark.processes, pytest.mark.timeout(480)]

# the request that ends each step of a match
STEPS = {
    "plan": "^PUT .*/plan.parquet",
    "scoring": "^PUT .*/scoring.json",
    "shard": "^PUT .*/shards/unit-0000003",
    "pairs": "^PUT .*/pairs.parquet",
    "manifest": "^PUT .*/manifest.json",
    "outcome": "^PUT .*/outcome.json",
}
IN_MAKE_TEST = {("before", "shard")}
RESULTS = ("pairs", "matches", "clusters")
UNITS = 7  # the first are smaller than unit_size


def write_run_file(s3: Bucket, name: str, folder: Path, endpoint: str | None = None) -> str:
    described = {
        "output": f"{s3.uri}/{name}/runs",
        "run_id": "match",
        "left": {"uri": f"{s3.uri}/left.csv"},
        "right": {"uri": f"{s3.uri}/right.csv"},
        "pairs": f"{s3.uri}/pairs.csv",
        "embeddings": None,
        "unit_size": 40,
        "storage": {"endpoint_url": endpoint} if endpoint else {},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(described))
    return str(path)


def write_catalogs(s3: Bucket) -> None:
    titles = made.products(200)
    variants = [made.variant(title, seed) for seed, title in enumerate(titles)]
    labels = "".join(
        f"i{n:03d},i{m:03d},{int(n == m)}\n" for n in range(100) for m in (n, (n + 3) % 100)
    )
    catalogs.LOCAL.write(f"{s3.uri}/pairs.csv", f"left_id,right_id,same\n{labels}".encode())
    for name, texts in (("left", titles), ("right", variants)):
        rows = "".join(f"i{n:03d},/nowhere/{name}{n}.jpg,{text}\n" for n, text in enumerate(texts))
        catalogs.LOCAL.write(f"{s3.uri}/{name}.csv", f"item_id,uri,name\n{rows}".encode())


def results(s3: Bucket, name: str, folder: Path) -> list[list[dict[str, Any]]]:
    run = open_folder(f"{s3.uri}/{name}/runs/match", catalogs.LOCAL)
    found = []
    for each in RESULTS:
        path = folder / f"{name}-{each}.parquet"
        path.write_bytes(run.read(f"{each}.parquet"))
        found.append(parquet.read_table(path).to_pylist())
    return found


@pytest.mark.parametrize(
    ("moment", "step"),
    [
        pytest.param(*each, marks=[] if each in IN_MAKE_TEST else pytest.mark.faults)
        for each in itertools.product(("before", "after"), STEPS)
    ],
)
def test_a_match_killed_at_a_step_and_run_again_ends_as_if_nothing_had_happened(
    s3: Bucket, tmp_path: Path, moment: str, step: str
) -> None:
    write_catalogs(s3)
    code, _, errors = finish(start("jobs.match", write_run_file(s3, "undisturbed", tmp_path)))
    assert code == 0, errors
    with FaultProxy(s3.server.endpoint) as proxy:
        run_file = write_run_file(s3, "killed", tmp_path, proxy.url)
        proxy.hold(STEPS[step], after=moment == "after")
        driver = start("jobs.match", run_file)
        wait_until(lambda: proxy.held > 0 or driver.poll() is not None)
        assert driver.poll() is None, driver.communicate()
        kill(driver)
        proxy.drop()

        code, said, errors = finish(start("jobs.match", run_file))

    assert code == 0, said + errors
    assert "resumed" in said or (moment, step) == ("after", "outcome")
    if step == "shard":
        assert f"in {UNITS} units, {3 + (moment == 'after')} done before" in said
    assert results(s3, "killed", tmp_path) == results(s3, "undisturbed", tmp_path)

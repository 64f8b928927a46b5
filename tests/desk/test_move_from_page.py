"""A catalog moves to a taxonomy that was edited on the page: refused, accepted, rolled back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from deltalake import DeltaTable

from lib.desk.job_log import JobRecord
from tests.helpers.catalogs import TAXONOMY_YAML
from tests.helpers.desks import Served, config_of, served
from tests.helpers.jobs import wait_until
from tests.helpers.searched import make_shop

pytestmark = [pytest.mark.ray, pytest.mark.processes, pytest.mark.timeout(1200)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Served]:
    make_shop(tmp_path, 60)
    (tmp_path / "taxonomy.yaml").write_text(TAXONOMY_YAML)
    run_file = {
        "output": str(tmp_path / "runs"),
        "bundle": str(tmp_path / "bundle"),
        "taxonomy": "the desk names it",
        "labels_table": str(tmp_path / "labels"),
        "embeddings": str(tmp_path / "embeddings"),
        "engine": {"device": "cpu", "precision": "fp32", "actors": 1, "cpus_per_actor": 1},
    }
    (tmp_path / "move.yaml").write_text(yaml.safe_dump(run_file))
    given = {
        "taxonomy": str(tmp_path / "taxonomy.yaml"),
        "jobs": {"backfill": str(tmp_path / "move.yaml")},
    }
    with served(config_of(tmp_path, **given)) as found:
        yield found


def started(desk: Served, path: str, form: dict[str, object]) -> JobRecord:
    """Start a job as the page does, and wait for its end."""
    answer = desk.post(path, form)
    job_id = answer.headers["hx-redirect"].partition("job=")[2]
    wait_until(lambda: desk.desk.jobs.running is None, at_most_s=500)
    found = desk.desk.jobs.find(job_id)
    assert found
    return found


def test_a_catalog_is_moved_in_spite_of_a_check_and_brought_back(
    desk: Served, tmp_path: Path
) -> None:
    desk.post("/taxonomy/merge", {"revision": 0, "category": "trousers", "into": "skirt"})
    desk.post("/taxonomy/save", {"revision": 1})

    tried = started(desk, "/jobs/start", {"job": "backfill", "rehearsal": "yes"})

    assert tried.told["items"] == 60, tried.lines
    assert DeltaTable(str(tmp_path / "labels")).version() == 0

    moved = started(desk, "/jobs/start", {"job": "backfill"})

    # the made rows say one thing of their categories and another of what they were unsure between
    assert moved.exit_code == 3, moved.lines
    assert moved.run_id
    page = desk.client.get("/runs/run", params={"run": moved.run_id}).text
    assert "Publish it all the same" in page
    assert desk.client.get("/runs/report", params={"run": moved.run_id}).status_code == 200
    gates = [each.partition('"')[0] for each in page.split('name="gate" value="')[1:]]

    form: dict[str, object] = {"run": moved.run_id, "gate": gates, "reason": "these are made rows"}
    accepted = started(desk, "/runs/publish", form)

    assert accepted.exit_code == 0, accepted.lines
    desk.desk.look_again()
    assert desk.desk.taxonomy.version == "8"
    assert "these are made rows" in desk.desk.labels.history()[0].made.gates
    assert "Nothing is changed yet" in desk.client.get("/taxonomy").text

    assert desk.post("/runs/rollback", {"version": 0, "now": 1}).status_code == 204

    assert desk.desk.taxonomy.version == "7"
    assert desk.desk.table.rows("SELECT count(*) AS n FROM labels")[0]["n"] == 60

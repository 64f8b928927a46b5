"""Jobs of a desk's page: those of its run files alone, tried before they are done."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lib.desk.job_log import JobRecord
from tests.helpers.desks import Served, config_of, served
from tests.helpers.jobs import wait_until


def keep(shop: Path, **more: object) -> JobRecord:
    """Keep a rehearsal of a night that went well, as an earlier desk has."""
    record = JobRecord.model_validate(
        {
            "job_id": "20260101-000000-classify-aaaa", "job": "classify", "title": "Try",
            "by": "<i>ann</i>", "rehearsal": True, "begun": datetime.now(UTC),
            "ended": datetime.now(UTC), "exit_code": 0, "told": {"sentence": "12 new items"},
            "lines": ["<script>alert(1)</script>"], **more,
        }
    )  # fmt: skip
    folder = shop / "runs" / "desk-jobs"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{record.job_id}.json").write_text(record.model_dump_json())
    return record


@pytest.fixture
def desk(shop: Path) -> Iterator[Served]:
    (shop / "night.yaml").write_text("catalog: 7\n")
    with served(config_of(shop, jobs={"classify": str(shop / "night.yaml")})) as found:
        yield found


@pytest.mark.parametrize("job", ["train", "publish", "../desk", "desk", "", "os"])
def test_no_other_job_is_started(desk: Served, job: str) -> None:
    for rehearsal in ("", "yes"):
        answer = desk.post("/jobs/start", {"job": job, "rehearsal": rehearsal})
        assert answer.status_code in {400, 422}
    assert desk.desk.jobs.running is None


def test_what_the_desk_was_not_given_is_not_started(shop: Path) -> None:
    with served(config_of(shop)) as desk:
        answer = desk.post("/jobs/start", {"job": "classify", "rehearsal": "yes"})
        assert "its run file names none" in answer.text
        assert "Try tonight" not in desk.client.get("/runs").text


@pytest.mark.parametrize(
    "more",
    [
        {"exit_code": 2},
        {"rehearsal": False},
        {"job": "backfill"},
        {"begun": datetime.now(UTC) - timedelta(days=2)},
    ],
)
def test_a_night_is_tried_before_it_is_started(
    desk: Served, shop: Path, more: dict[str, object]
) -> None:
    keep(shop, **more)
    answer = desk.post("/jobs/start", {"job": "classify"})
    assert answer.status_code == 400
    assert "try it first" in answer.text


def test_a_catalog_moves_to_a_taxonomy_that_was_written_down(desk: Served) -> None:
    answer = desk.post("/jobs/start", {"job": "backfill", "rehearsal": "yes"})
    assert "write the new taxonomy down first" in answer.text


def test_what_a_job_said_is_shown_and_not_run(desk: Served, shop: Path) -> None:
    record = keep(shop)
    page = desk.client.get("/jobs", params={"job": record.job_id}).text
    assert "12 new items" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<i>ann" not in page


@pytest.mark.parametrize("job_id", ["../../labels", "", "nothing", "/etc/passwd"])
def test_a_job_that_is_none_is_not_found(desk: Served, job_id: str) -> None:
    assert desk.client.get("/jobs", params={"job": job_id}).status_code == 400


@pytest.mark.processes
def test_a_job_is_followed_to_its_end_and_says_what_was_wrong(desk: Served) -> None:
    answer = desk.post("/jobs/start", {"job": "classify", "rehearsal": "yes"})
    place = answer.headers["hx-redirect"]
    assert 'hx-trigger="every 1s"' in desk.client.get(place).text
    wait_until(lambda: desk.desk.jobs.running is None)
    page = desk.client.get(place).text
    assert "It did not begin" in page
    assert "night.yaml, line 1" in page
    assert "every 1s" not in page

"""The nights' page: runs by id alone, reports that act on nothing, what needs a reason."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lib.batches import to_parquet
from lib.desk.answers import Given
from lib.desk.local_table import LocalTable
from lib.labels.annotations import Answer
from lib.labels.change import Change
from lib.runs.run import RunRecord
from tests.helpers.catalogs import LOCAL, TAXONOMY, label_rows
from tests.helpers.desks import Served, config_of, served

MEASURED = {
    "error_rate": 0.0, "review_share": 0.5, "category_changes": 0.4, "mix_shift": 0.1,
    "row_loss": 0.0,
}  # fmt: skip
NO_RUN = ["..", "../labels", "/etc", "a/b", "%2e%2e", "", ".", "desk-jobs", "secret\0", "nothing"]


def make_run(shop: Path, run_id: str, table: str | None = None) -> Path:
    """Make the folder of a run that a gate has refused, with a report."""
    folder = shop / "runs" / run_id
    folder.mkdir(parents=True)
    record = RunRecord(
        run_id=run_id,
        job="classify",
        created_at=datetime.now(UTC),
        begun_by="test",
        fingerprint={},
        run_file={"labels_table": table or str(shop / "labels"), "gates": {}, "reading": {}},
    )
    (folder / "run.json").write_text(record.model_dump_json())
    outcome = {"state": "refused", "sentence": "not published", "items": 12, "measured": MEASURED}
    (folder / "outcome.json").write_text(json.dumps(outcome))
    (folder / "report.html").write_text("<script>alert(1)</script>report of it")
    return folder


@pytest.fixture
def desk(shop: Path) -> Iterator[Served]:
    make_run(shop, "bad-night")
    with served(config_of(shop)) as found:
        yield found


def change_table(desk: Served, shop: Path) -> None:
    """Publish another version: one item less, one more, and one of another category."""
    rows = label_rows(["000.jpg", "new"], "second")
    LOCAL.write(str(shop / "second.parquet"), to_parquet(rows))
    LOCAL.write(str(shop / "gone.parquet"), to_parquet(label_rows(["002.webp"]).select([0])))
    parts, gone = [str(shop / "second.parquet")], str(shop / "gone.parquet")
    change = Change(run_id="second", base=0, parts=parts, removed=gone)
    desk.desk.labels.publish(change)


def test_runs_are_listed_with_what_became_of_them(desk: Served) -> None:
    assert "refused by its checks" in desk.client.get("/runs/list").text
    page = desk.client.get("/runs/run", params={"run": "bad-night"}).text
    assert "1 of its 5 checks has failed" in page
    assert "40.0 %" in page
    assert "at most 20.0 %" in page


def test_a_report_is_shown_and_acts_on_nothing(desk: Served) -> None:
    answer = desk.client.get("/runs/report", params={"run": "bad-night"})
    assert "report of it" in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox")
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy


@pytest.mark.parametrize("run_id", NO_RUN)
@pytest.mark.parametrize("path", ["/runs/report", "/runs/run"])
def test_a_run_is_found_by_its_id_below_the_desk_s_runs_alone(
    desk: Served, shop: Path, path: str, run_id: str
) -> None:
    (shop / "report.html").write_text("outside")
    (shop / "run.json").write_text((shop / "runs" / "bad-night" / "run.json").read_text())
    answer = desk.client.get(path, params={"run": run_id})
    assert answer.status_code in {400, 422}
    assert "outside" not in answer.text


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({}, "say of each failed check"),
        ({"gate": ["max_row_loss"], "reason": "so"}, "say of each failed check"),
        ({"gate": ["max_category_changes"], "reason": " "}, "say why"),
        ({"gate": ["max_category_changes"], "reason": "so", "run": "../x"}, "no such run"),
    ],
)
def test_a_refused_run_is_published_with_its_checks_named_and_a_reason(
    desk: Served, form: dict[str, object], why: str
) -> None:
    answer = desk.post("/runs/publish", {"run": "bad-night", **form})
    assert answer.status_code == 400
    assert why in answer.text
    assert desk.desk.jobs.running is None


def test_a_run_of_another_table_is_not_published_from_here(desk: Served, shop: Path) -> None:
    make_run(shop, "other", table=str(shop / "elsewhere"))
    form: dict[str, object] = {"run": "other", "gate": ["max_category_changes"], "reason": "so"}
    answer = desk.post("/runs/publish", form)
    assert "of another table" in answer.text
    assert "Publish it all the same" not in desk.client.get("/runs/run?run=other").text


def test_a_rollback_says_in_numbers_what_it_does_and_does_it(desk: Served, shop: Path) -> None:
    change_table(desk, shop)
    desk.desk.look_again()
    said = desk.client.get("/runs/rollback", params={"version": 0}).text
    assert "The 12 rows of" in said
    assert "0 items get another category, 1 item leaves the table, 1 item comes back" in said

    answer = desk.post("/runs/rollback", {"version": 0, "now": 1})

    assert answer.status_code == 204
    assert DeltaTable(str(shop / "labels")).version() == 2
    assert desk.desk.table.item("002.webp") is not None
    assert desk.desk.labels.history()[0].made.by


def test_an_answer_that_comes_while_a_newer_table_is_opened_is_shown_in_it(
    desk: Served, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_table(desk, shop)
    prepare, item = desk.desk.queue.prepare, desk.desk.table.item("001.png")
    assert item

    def prepare_late(table: LocalTable) -> None:
        given = Given(answer=Answer.CATEGORY, category_id="skirt", by="ann", why="queue", key="k")
        desk.desk.answers.give([given.of(item, TAXONOMY)])
        prepare(table)

    monkeypatch.setattr(desk.desk.queue, "prepare", prepare_late)
    for _ in range(2):
        desk.desk.look_again()
    assert desk.desk.table.version == 1
    shown = desk.desk.table.item("001.png")
    assert shown
    assert (shown["decision"], shown["category_id"]) == ("person", "skirt")


def test_a_rollback_of_a_table_that_has_changed_meanwhile_is_refused(
    desk: Served, shop: Path
) -> None:
    change_table(desk, shop)
    answer = desk.post("/runs/rollback", {"version": 0, "now": 0})
    assert "the table has changed since you looked" in answer.text
    assert DeltaTable(str(shop / "labels")).version() == 1


@pytest.mark.parametrize("version", [0, 7, -1])
def test_a_version_that_is_none_cannot_be_brought_back(desk: Served, version: int) -> None:
    said = desk.client.get("/runs/rollback", params={"version": version}).text
    assert "is the newest, or there is no such version" in said

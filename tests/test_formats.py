"""What an earlier version wrote is read, and what it left half done goes on, but for a training."""

import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml

from lib.schemas import as_labels
from tests.conftest import Server
from tests.formats.restored import Restored, restored, succeed
from tests.helpers.jobs import run_job

SAMPLES = sorted(Path(__file__).with_name("formats").glob("*.tar.xz"))


@pytest.fixture(scope="module", params=SAMPLES, ids=lambda path: path.name.partition(".")[0])
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    with tarfile.open(request.param) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def shop(sample: Path, s3_server: Server, tmp_path: Path) -> Iterator[Restored]:
    with restored(sample, s3_server, tmp_path) as shop:
        yield shop


def test_a_catalog_that_has_not_changed_since_an_earlier_version_needs_no_work(
    shop: Restored,
) -> None:
    version = shop.table.version()

    shop.run("classify", "second", "--set", "run_id=again")

    assert shop.read_json("runs/again/manifest.json")["totals"]["items"] == 0
    assert shop.table.version() == version


def test_a_run_that_an_earlier_version_has_ended_is_not_done_again(shop: Restored) -> None:
    before = shop.etags()

    shop.run("classify", "second")

    assert shop.etags() == before


def test_a_finished_run_of_an_earlier_version_is_published(shop: Restored) -> None:
    before, items = shop.rows, [item["item_id"] for item in shop.items("unpublished")]
    new = sorted(set(items) - set(before["item_id"].to_pylist()))
    run = f"{shop.bucket.uri}/runs/unpublished"

    succeed("publish", run, "--run-file", shop.write_run_file("unpublished"))

    rows = shop.rows
    assert rows["item_id"].to_pylist() == items
    assert of_run(rows, "unpublished")["item_id"].to_pylist() == new
    assert_kept(before, rows)


def test_the_state_of_every_run_of_an_earlier_version_can_be_asked_for(shop: Restored) -> None:
    runs = [key for key in shop.etags("runs/") if key.endswith("/run.json")]
    assert len(runs) >= len(list(shop.run_files.iterdir())) - 1  # a training left its bundle alone

    for key in runs:
        run = f"{shop.bucket.uri}/{key.removesuffix('/run.json')}"
        succeed("status", run, "--run-file", shop.write_run_file("second"))


@pytest.mark.processes
def test_a_bundle_of_an_earlier_version_gives_the_same_labels(shop: Restored) -> None:
    shop.run("classify", "second", "--full", "--no-publish", "--set", "run_id=again")

    then, now = shop.rows, shop.read_tables("runs/again/labels/")
    assert {"accept", "parent", "review", "error"} == set(then["decision"].to_pylist())
    for column in ("item_id", "etag", "category_id", "category_path", "decision", "error"):
        assert now[column].to_pylist() == then[column].to_pylist(), column
    confidences = then["confidence"].drop_null().to_pylist()
    assert now["confidence"].drop_null().to_pylist() == pytest.approx(confidences, abs=1e-3)


@pytest.mark.processes
def test_a_classification_begun_by_an_earlier_version_goes_on(shop: Restored) -> None:
    before, items = shop.rows, [item["item_id"] for item in shop.items("begun-classify")]
    new = sorted(set(items) - set(before["item_id"].to_pylist()))
    done = shop.read_tables("runs/begun-classify/shards/")

    shop.run("classify", "begun-classify")

    rows = shop.rows
    assert rows["item_id"].to_pylist() == items
    assert of_run(rows, "begun-classify")["item_id"].to_pylist() == new
    assert_kept(before, rows)
    assert assert_kept(done, rows) == done.num_rows < len(new)
    assert shop.read_json("runs/begun-classify/manifest.json")["totals"]["items"] == len(new)


@pytest.mark.processes
def test_making_embeddings_begun_by_an_earlier_version_goes_on(shop: Restored) -> None:
    done, units = shop.etags("runs/begun-embed/shards/"), shop.count_units("begun-embed")

    shop.run("embed", "begun-embed")

    stored = shop.read_tables("embeddings/")
    counts = Counter(zip(stored["uri"].to_pylist(), stored["etag"].to_pylist(), strict=True))
    items = shop.items("begun-embed")
    wanted = [(f"{shop.bucket.uri}/photos/{i['uri']}", i["etag"]) for i in items]
    assert [counts[each] for each in wanted] == [1] * len(items)
    assert set(counts.values()) == {1}
    now = shop.etags("runs/begun-embed/shards/")
    assert {key: now[key] for key in done} == done
    assert 0 < len(done) < len(now) == units


@pytest.mark.processes
@pytest.mark.parametrize(
    ("name", "halfway"),
    [("begun-backfill", "labels/"), ("begun-backfill-pixels", "pixels/shards/")],
)
def test_a_backfill_begun_by_an_earlier_version_goes_on(
    shop: Restored, name: str, halfway: str
) -> None:
    before, done = shop.rows, shop.read_tables(f"runs/{name}/{halfway}")
    head = shop.etags(f"runs/{name}/bundle/")

    shop.run("backfill", name)

    rows = shop.rows
    assert rows["item_id"].equals(before["item_id"])
    assert rows["error"].equals(before["error"])
    assert set(rows["taxonomy_version"].to_pylist()) == {"2"}
    leaves = {"blouse", "polo", "knitwear", "legwear", "footwear"}
    assert set(rows["category_id"].drop_null().to_pylist()) <= {"tops", *leaves}
    assert assert_kept(done, rows) == done.num_rows < rows.num_rows
    assert shop.etags(f"runs/{name}/bundle/") == head


def test_a_training_begun_by_an_earlier_version_is_refused_and_left_as_it_is(
    shop: Restored,
) -> None:
    before = shop.etags("runs/begun-train/")
    run_file = Path(shop.write_run_file("begun-train"))

    old_keys = run_job("train", str(run_file))
    described = yaml.safe_load(run_file.read_text())
    for key in ("head_epochs", "backbone_factor"):
        described["training"].pop(key)
    run_file.write_text(yaml.safe_dump(described))
    other_recipe = run_job("train", str(run_file))

    assert (old_keys.exit_code, other_recipe.exit_code) == (2, 2)
    assert "'training.head_epochs'; it is 'strategy' now" in old_keys.stderr
    assert "(preprocessing was " in other_recipe.stderr
    assert "; recipe was " in other_recipe.stderr
    assert shop.etags("runs/begun-train/") == before


def of_run(rows: pa.Table, run_id: str) -> pa.Table:
    return rows.filter(pc.equal(rows["run_id"], run_id))


def assert_kept(before: pa.Table, after: pa.Table) -> int:
    """Rows of items that both tables have must be the same, to the time; give how many."""
    now = {row["item_id"]: row for row in as_labels(after).to_pylist()}
    kept = [row for row in as_labels(before).to_pylist() if row["item_id"] in now]
    assert [now[row["item_id"]] for row in kept] == kept
    return len(kept)

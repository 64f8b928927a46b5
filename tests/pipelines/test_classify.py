import getpass
import json
import os
import re
import shutil
import subprocess
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
import yaml
from deltalake import DeltaTable
from pyarrow import parquet

from lib.catalog.catalog import CatalogConfig, read_catalog
from lib.embeddings.store import to_matrix
from lib.models.bundle import read_bundle
from lib.models.bundle_weights import load_classifier
from lib.reasons import MEANINGS
from lib.schemas import LABELS_SCHEMA
from tests.helpers import catalogs
from tests.helpers.jobs import (
    descendants,
    finish,
    kill_when,
    run_job,
    start,
    started_with,
    told_by,
    wait_until,
)
from tests.helpers.local_ray import local_ray
from tests.helpers.report_reading import Page

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240)]

PICTURES = catalogs.pictures(55)
MISSING = [name for name in catalogs.BROKEN if name not in catalogs.BROKEN_FILES]
ITEM_IDS = sorted([*PICTURES, *catalogs.BROKEN])
# far more than a unit has: each unit takes long enough to be killed in
BATCH = 128
OF_A_RUN = ["run_id", "classified_at"]


class Night:
    """A folder with a catalog, a bundle and the run file that joins them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run_file = str(folder / "night.yaml")
        self.table_uri = str(folder / "labels")

    def prepare(self, pictures: Mapping[str, bytes] = PICTURES, **changes: Any) -> None:  # noqa: ANN401  # any value of a run file
        """Write catalog, bundle and run file."""
        files = {**pictures, **catalogs.BROKEN_FILES}
        catalogs.write_catalog(str(self.folder / "images"), files, missing=MISSING)
        catalogs.make_bundle(str(self.folder / "bundle"), architecture="squeezenet1_1")
        self.write_run_file(**changes)

    def write_run_file(self, **changes: Any) -> None:  # noqa: ANN401  # any value of a run file
        engine = {"device": "cpu", "precision": "fp32", "actors": 1, "cpus_per_actor": 1}
        sizes = {"batch_size": BATCH, "unit_size": 8}
        described = {
            "output": str(self.folder / "runs"),
            "run_id": "night",
            "catalog": {"uri": str(self.folder / "images" / "manifest.csv")},
            "bundle": str(self.folder / "bundle"),
            "labels_table": self.table_uri,
            "embeddings": str(self.folder / "embeddings"),
            "engine": {**engine, **sizes, **changes.pop("engine", {})},
            "reading": {"threads": 4},
            "gates": {"max_error_rate": 0.2},
        }
        Path(self.run_file).write_text(yaml.safe_dump(described | changes))

    @property
    def shards(self) -> dict[str, int]:
        """The finished shards, and when each was written."""
        found = self.folder.glob("runs/night/shards/unit-*.parquet")
        return {path.name: path.stat().st_mtime_ns for path in found}

    @property
    def table(self) -> DeltaTable:
        return DeltaTable(self.table_uri)

    @property
    def rows(self) -> pa.Table:
        return self.table.to_pyarrow_table(columns=LABELS_SCHEMA.names).sort_by("item_id")

    def files(self) -> dict[str, bytes]:
        return catalogs.folder_of(self.folder)


def lasting(rows: pa.Table) -> pa.Table:
    """Rows without what differs from run to run, and from folder to folder."""
    return rows.drop_columns([*OF_A_RUN, "uri", "error_detail"]).combine_chunks()


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """A night that has ended well in processes of this machine, not to be changed."""
    night = Night(tmp_path_factory.mktemp("night"))
    night.prepare()
    result = run_job("classify", night.run_file)
    assert result.exit_code == 0, result.output
    assert "Ray" not in result.output
    return night


@pytest.fixture(scope="module")
def ray(night: Night) -> Iterator[None]:
    """A Ray that whatever runs after it joins: the tests that ask for it are the file's last."""
    assert night.shards  # it has run before
    with local_ray():
        yield


def copy_of(night: Night, folder: Path) -> Night:
    for name in ("images", "bundle"):
        shutil.copytree(night.folder / name, folder / name)
    copy = Night(folder)
    copy.write_run_file()
    return copy


@pytest.fixture
def copy(night: Night, tmp_path: Path) -> Night:
    """The same night in a folder of its own, before anything has run."""
    return copy_of(night, tmp_path)


def test_the_labels_of_a_run_are_a_manifest(night: Night) -> None:
    items = read_catalog(CatalogConfig(uri=str(night.folder / "runs/night/labels")), catalogs.LOCAL)

    same = ["item_id", "uri", "etag", "category_id"]
    assert items.select(same) == night.rows.select(same).combine_chunks()


def test_every_item_of_the_catalog_is_one_row_a_label_or_an_error(night: Night) -> None:
    rows = night.rows

    assert rows["item_id"].to_pylist() == ITEM_IDS
    snapshot = parquet.read_table(night.folder / "runs/night/snapshot.parquet")
    assert rows["item_id"].to_pylist() == snapshot["item_id"].to_pylist()
    errors = rows.filter(rows["error"].is_valid())
    assert rows["category_id"].is_valid().to_pylist() == rows["error"].is_null().to_pylist()
    assert dict(zip(errors["item_id"].to_pylist(), errors["error"].to_pylist(), strict=True)) == {
        name: str(reason) for name, (reason, _) in catalogs.BROKEN.items()
    }
    assert set(rows["run_id"].to_pylist()) == {"night"}


def test_each_labelled_item_has_one_embedding_that_its_label_follows_from(night: Night) -> None:
    bundle = read_bundle(str(night.folder / "bundle"), catalogs.LOCAL)
    (store,) = (night.folder / "embeddings").iterdir()
    assert store.name == bundle.backbone_digest
    kept = parquet.read_table(store)
    labelled = night.rows.filter(night.rows["error"].is_null())
    assert sorted(kept["uri"].to_pylist()) == sorted(labelled["uri"].to_pylist())

    best_first = pc.struct_field(pc.list_element(labelled["top_k"], 0), "category_id")
    keyed = labelled.select(["uri", "etag"]).append_column("best", best_first)
    joined = keyed.join(kept, ["uri", "etag"])
    head = load_classifier(bundle, catalogs.LOCAL).head
    embeddings = torch.from_numpy(to_matrix(joined["embedding"].combine_chunks()).copy()).float()
    best = head(embeddings).argmax(dim=1).tolist()

    assert [bundle.info.category_ids[column] for column in best] == joined["best"].to_pylist()


def test_the_sample_for_later_nights_has_the_labels_and_embeddings_of_its_items(
    night: Night,
) -> None:
    sample = parquet.read_table(night.folder / "runs/night/sample.parquet")
    labelled = night.rows.filter(night.rows["error"].is_null())
    best = pc.struct_field(pc.list_element(labelled["top_k"], 0), "category_id")
    expected = pa.table([labelled["item_id"], labelled["uri"], best], ["item_id", "uri", "best"])
    (store,) = (night.folder / "embeddings").iterdir()

    def embeddings(rows: pa.Table) -> dict[str, bytes]:
        return dict(zip(rows["uri"].to_pylist(), rows["embedding"].to_pylist(), strict=True))

    found = sample.sort_by("item_id")
    assert found["item_id"].equals(expected["item_id"])
    assert found["category_id"].equals(expected["best"])
    assert embeddings(found) == embeddings(parquet.read_table(store))


def test_an_image_that_is_classified_again_has_still_one_embedding(
    night: Night, copy: Night
) -> None:
    shared = f"embeddings={night.folder / 'embeddings'}"
    catalog = f"catalog.uri={night.folder / 'images' / 'manifest.csv'}"
    before = catalogs.folder_of(night.folder / "embeddings")

    result = run_job("classify", copy.run_file, "--limit", "10", "--set", shared, "--set", catalog)

    assert result.exit_code == 0, result.output
    assert catalogs.folder_of(night.folder / "embeddings") == before


def test_without_a_folder_for_them_no_embeddings_are_written(copy: Night) -> None:
    result = run_job("classify", copy.run_file, "--limit", "10", "--set", "embeddings=null")

    assert result.exit_code == 0, result.output
    assert not (copy.folder / "embeddings").exists()
    assert not (copy.folder / "runs/night/embeddings").exists()


NOTHING = "all 2 items failed for one reason, gone: the object was listed but is no longer there"


def test_a_night_in_which_nothing_worked_is_not_published_though_its_gates_are_open(
    copy: Night,
) -> None:
    (copy.folder / "none.csv").write_text("uri\ngone-1.jpg\ngone-2.jpg\n")
    copy.write_run_file(catalog={"uri": f"{copy.folder}/none.csv"}, gates={"max_error_rate": None})

    result = run_job("classify", copy.run_file)

    assert result.exit_code == 3, result.output
    assert f"{NOTHING}; not published, whatever the gates" in result.output
    assert NOTHING.capitalize() in Page((copy.folder / "runs/night/report.html").read_text()).text
    assert not DeltaTable.is_deltatable(copy.table_uri)


def test_a_night_in_which_nothing_worked_is_not_published_though_its_gate_is_accepted(
    copy: Night,
) -> None:
    (copy.folder / "none.csv").write_text("uri\ngone-1.jpg\ngone-2.jpg\n")
    copy.write_run_file(catalog={"uri": f"{copy.folder}/none.csv"})
    assert run_job("classify", copy.run_file).exit_code == 3

    options = ["--accept", "max_error_rate", "--reason", "no matter"]
    result = run_job("publish", str(copy.folder / "runs/night"), *options)

    assert result.exit_code == 3, result.output
    assert NOTHING in result.output
    assert not DeltaTable.is_deltatable(copy.table_uri)


def test_a_night_whose_only_item_failed_is_published(copy: Night) -> None:
    manifest = copy.folder / "none.csv"
    manifest.write_text("uri\ngone-1.jpg\n")

    gate = "gates.max_error_rate=null"
    result = run_job("classify", copy.run_file, "--set", f"catalog.uri={manifest}", "--set", gate)

    assert result.exit_code == 0, result.output
    assert copy.rows["error"].to_pylist() == ["gone"]


def test_a_file_whose_name_is_no_text_is_one_error_row_and_the_others_are_classified(
    copy: Night,
) -> None:
    images = copy.folder / "images"
    picture = next(iter(PICTURES))
    for name in (b"!\xe9.png", rb"!\xe9.png"):
        shutil.copy(images / picture, os.fsdecode(bytes(images) + b"/" + name))

    result = run_job("classify", copy.run_file, "--limit", "10", "--set", f"catalog.uri={images}")

    assert result.exit_code == 0, result.output
    rows = {row["item_id"]: row for row in copy.rows.to_pylist()}
    assert len(rows) == 10
    failed = rows.pop(r"!\xe9.png")
    assert failed["error"] == "fetch_failed"
    assert failed["error_detail"].endswith("the file's name is not text in UTF-8; rename it")
    assert {row["error"] for row in rows.values()} == {None}
    assert rows[r"!\\xe9.png"]["uri"] == rf"{images}/!\xe9.png"


def test_what_is_no_item_is_said_on_the_terminal_and_in_the_report(copy: Night) -> None:
    images = copy.folder / "images"
    (images / "a.heic").write_bytes(b"x")
    (images / "more").symlink_to(copy.folder / "bundle")

    result = run_job("classify", copy.run_file, "--limit", "10", "--set", f"catalog.uri={images}")

    assert result.exit_code == 0, result.output
    said = "left out: 1 linked folder (not followed), 1 .csv, 1 .heic"
    assert said in result.output.splitlines()
    report = Page((copy.folder / "runs/night/report.html").read_text()).text
    assert said.capitalize() in report


def test_the_report_shows_each_reason_for_an_error(night: Night) -> None:
    report = (night.folder / "runs/night/report.html").read_text()

    for reason, _ in catalogs.BROKEN.values():
        assert str(reason) in report
        assert MEANINGS[reason] in report
    for name in catalogs.BROKEN:
        assert name in report


def test_the_report_of_a_night_shows_the_nights_before(night: Night, copy: Night) -> None:
    shutil.copytree(night.table_uri, copy.table_uri)

    result = run_job("classify", copy.run_file, "--full", "--limit", "10", "--set", "run_id=ten")

    text = Page((copy.folder / "runs/ten/report.html").read_text()).text
    assert result.exit_code == 0, result.output
    assert "The last 2 nights" in text
    assert f"Items classified 10 {len(ITEM_IDS)}" in text


def test_the_terminal_and_the_report_say_the_same_rate(copy: Night) -> None:
    result = run_job("classify", copy.run_file, "--limit", "10", "--set", "run_id=rate")

    (*_, said) = re.findall(r"([\d,.]+) items/s", result.output)
    report = Page((copy.folder / "runs/rate/report.html").read_text()).text
    (rate,) = re.findall(r"([\d,.]+) images/s", report)
    # one of them has a decimal, and both are rounded
    assert float(said.replace(",", "")) == pytest.approx(float(rate.replace(",", "")), abs=0.56)


def test_the_same_command_again_changes_nothing(night: Night) -> None:
    before = night.files()

    result = run_job("classify", night.run_file)

    assert result.exit_code == 0
    assert "has ended before" in result.output
    assert night.files() == before


def test_a_scheduler_is_told_on_the_last_line_what_the_night_has_come_to(night: Night) -> None:
    result = run_job("classify", night.run_file, "--json")

    told = told_by(result.stdout)
    assert (told["job"], told["run_id"], told["state"]) == ("classify", "night", "published")
    assert (told["version"], told["exit_code"], told["error"]) == (0, 0, None)
    counts = (told["items"], told["labelled"], told["errors"])
    assert counts == (len(ITEM_IDS), len(PICTURES), len(catalogs.BROKEN))
    assert Path(told["run"]) == night.folder / "runs/night"
    assert Path(told["report"]).exists()


def test_another_catalog_under_the_same_run_id_is_refused_by_name(night: Night) -> None:
    before = night.files()
    other = night.folder.parent / "other-images"
    manifest = catalogs.write_catalog(str(other), catalogs.pictures(3))

    result = run_job("classify", night.run_file, "--set", f"catalog.uri={manifest}")

    assert result.exit_code == 2
    assert "snapshot was" in result.stderr
    assert "bundle" not in result.stderr.partition("(")[2].partition(")")[0]
    assert night.files() == before


def test_a_limit_leaves_the_rows_of_the_other_items(night: Night, copy: Night) -> None:
    shutil.copytree(night.table_uri, copy.table_uri)

    result = run_job("classify", copy.run_file, "--full", "--limit", "10", "--set", "run_id=ten")

    assert result.exit_code == 0, result.output
    assert copy.table.version() == 1
    assert copy.rows["run_id"].to_pylist() == ["ten"] * 10 + ["night"] * (len(ITEM_IDS) - 10)
    assert lasting(copy.rows).equals(lasting(night.rows))


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(copy: Night) -> None:
    before = copy.files()

    result = run_job("classify", "--dry-run", copy.run_file, "--json")

    assert result.exit_code == 0, result.output
    assert f"{len(ITEM_IDS)} items in 8 units" in result.output
    assert "images/s" in result.output
    assert copy.files() == before
    told = told_by(result.stdout)
    assert (told["state"], told["items"], told["units"]) == ("planned", len(ITEM_IDS), 8)
    assert told["new"] == len(ITEM_IDS)
    assert told["seconds"] > 0


def test_a_night_says_each_stage_as_it_begins(copy: Night) -> None:
    result = run_job("classify", copy.run_file, "--limit", "10")

    assert result.exit_code == 0, result.output
    begun = [re.split(r"[:\d]", line)[0].strip() for line in result.stdout.splitlines()]
    stages = [
        "reading the catalog",
        "comparing it with the labels table",
        "run night",
        "classifying",
        "putting the shards together",
        "keeping the embeddings",
        "checking the gates",
        "publishing",
        "writing the report",
        "report",
        "published as version",
    ]
    assert [each for each in begun if each in stages] == stages


def test_a_dry_run_says_how_far_the_gates_let_a_night_go(night: Night, copy: Night) -> None:
    shutil.copytree(night.table_uri, copy.table_uri)
    limits = ["--set", "gates.max_category_changes=1", "--set", "gates.max_mix_shift=0.5"]

    result = run_job("classify", "--dry-run", "--full", copy.run_file, *limits)

    assert result.exit_code == 0, result.output
    share = f"{len(PICTURES) / len(ITEM_IDS):.1%}"
    assert (
        f"gates.max_category_changes cannot refuse: {share} at most, limit 100.0%" in result.output
    )
    assert "gates.max_mix_shift could reach 100.0%, limit 50.0%" in result.output


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_a_night_that_is_certain_to_shift_the_categories_is_refused_before_any_image_is_read(
    night: Night, copy: Night, options: list[str]
) -> None:
    shutil.copytree(night.table_uri, copy.table_uri)
    labels = night.rows.filter(night.rows["category_id"].is_valid())
    (category, _), *_ = Counter(labels["category_id"].to_pylist()).most_common()
    lost = labels.filter(pc.equal(labels["category_id"], category))["item_id"].to_pylist()
    manifest = copy.folder / "images/manifest.csv"
    head, *lines = manifest.read_text().splitlines()
    items = [line.split(",") for line in lines]
    # their images lie where they lay: they are as they were
    at = night.folder / "images"
    left = [f"{name},{at / uri},{etag}," for name, uri, etag, _ in items if name not in lost]
    manifest.write_text("\n".join([head, *left]))
    before = copy.files()
    opened = ["--set", "run_id=less", "--set", "gates.max_row_loss=1"]

    result = run_job("classify", copy.run_file, *opened, *options)

    assert result.exit_code == 3
    assert re.search(r"the category sizes would shift by \d+\.\d% at least, ", result.stderr)
    assert "gates.max_mix_shift allows 20.0%; nothing was classified" in result.stderr
    assert copy.files() == before


def test_too_many_errors_end_with_exit_code_3_and_leave_the_table(
    night: Night, copy: Night
) -> None:
    shutil.copytree(night.table_uri, copy.table_uri)
    table = catalogs.folder_of(Path(copy.table_uri))
    strict = ["classify", copy.run_file, "--full", "--set", "gates.max_error_rate=0.01"]

    result = run_job(*strict)

    assert result.exit_code == 3
    assert "max_error_rate" in result.stderr
    assert catalogs.folder_of(Path(copy.table_uri)) == table
    assert "not published" in (copy.folder / "runs/night/report.html").read_text()
    # a scheduler's second try must not take the refused run for a good one
    assert run_job(*strict).exit_code == 3
    assert catalogs.folder_of(Path(copy.table_uri)) == table


def test_a_refused_night_is_published_as_it_is_when_a_person_accepts_the_gate(
    night: Night, copy: Night
) -> None:
    shutil.copytree(night.table_uri, copy.table_uri)
    refused = run_job(
        "classify", copy.run_file, "--full",
        "--set", "gates.max_error_rate=0.01", "--set", "run_id=strict",
    )  # fmt: skip
    run = copy.folder / "runs/strict"
    reason = "the supplier's photos, known to be broken"
    assert f"reshelve publish {run} --accept max_error_rate --reason TEXT" in refused.stderr

    result = run_job("publish", str(run), "--accept", "max_error_rate", "--reason", reason)

    assert result.exit_code == 0, result.output
    assert set(copy.rows["run_id"].to_pylist()) == {"strict"}
    outcome = json.loads((run / "outcome.json").read_bytes())
    (accepted,) = outcome["accepted"]
    assert outcome["state"] == "published"
    assert (accepted["gate"], accepted["limit"]) == ("max_error_rate", 0.01)
    assert (accepted["reason"], accepted["by"]) == (reason, getpass.getuser())
    assert accepted["value"] > 0.01
    said = f"accepted by {getpass.getuser()}: {reason}"
    committed = str(copy.table.history(1)[0]["gates"])
    assert said in committed
    assert f"{accepted['value']:.1%}, gates.max_error_rate allows 1.0%" in committed
    assert outcome["verdict"] in Page((run / "report.html").read_text()).text
    assert said in Page((run / "report.html").read_text()).text
    again = run_job("publish", str(run), "--accept", "max_error_rate", "--reason", reason)
    assert again.exit_code == 2
    assert "has ended before: published" in again.stderr


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_a_catalog_that_has_lost_half_of_its_items_is_refused_before_any_image_is_read(
    night: Night, copy: Night, options: list[str]
) -> None:
    shutil.copytree(night.table_uri, copy.table_uri)
    manifest = copy.folder / "images/manifest.csv"
    lines = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join(lines[: len(lines) // 2]))
    before = copy.files()

    result = run_job("classify", copy.run_file, "--set", "run_id=less", *options)

    assert result.exit_code == 3
    assert re.search(r"\d+ removed in .*: the table would lose \d+\.\d% of its rows", result.stderr)
    assert "gates.max_row_loss allows 20.0%; nothing was classified" in result.stderr
    assert copy.files() == before


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["labels_table=images/a"], "'labels_table' should lie outside the catalog"),
        (["labels_table=images"], "'labels_table' should lie outside the catalog"),
        (["embeddings=images/e"], "'embeddings' should lie outside the catalog"),
        (["output=images/runs"], "'catalog' should not hold 'output', "),
        (["output=."], "'catalog' should lie outside 'output', which is "),
    ],
)
def test_what_a_run_writes_and_its_catalog_lie_apart(
    copy: Night, changes: list[str], sentence: str
) -> None:
    settings = ["catalog.uri=images", *changes]
    places = [each.replace("=", f"={copy.folder}/") for each in settings]

    result = run_job("classify", copy.run_file, *(f"--set={each}" for each in places))

    assert result.exit_code == 2
    assert sentence in result.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--accept", "max_error_rate"], "--accept GATE and --reason TEXT go together"),
        (["--reason", "none"], "--accept GATE and --reason TEXT go together"),
        (["--accept", "max_errors", "--reason", "x"], "there is no gate 'max_errors'; there are"),
    ],
)
def test_what_is_accepted_is_a_gate_and_has_a_reason(
    night: Night, options: list[str], sentence: str
) -> None:
    result = run_job("publish", str(night.folder / "runs/night"), *options)
    assert result.exit_code == 2
    assert sentence in result.stderr


@pytest.mark.faults
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("begun", "resumed"), [("ray", "ray"), ("ray", "here"), ("here", "ray"), ("here", "here")]
)
def test_a_killed_job_goes_on_where_it_was_and_ends_with_the_same_rows(
    night: Night, copy: Night, begun: str, resumed: str
) -> None:
    copy.write_run_file(engine={"unit_size": 2, "where": begun})
    marker = uuid.uuid4().hex
    environment = {"RAY_ADDRESS": "", "RESHELVE_TEST_MARKER": marker}
    first = start("jobs.classify", copy.run_file, environment=environment)
    kill_when(lambda: len(copy.shards) >= 3, first)
    wait_until(lambda: not started_with(marker))
    finished = copy.shards
    assert 3 <= len(finished) < 30
    assert not Path(copy.table_uri).exists()

    copy.write_run_file(engine={"unit_size": 2, "where": resumed})
    code, stdout, stderr = finish(start("jobs.classify", copy.run_file, environment=environment))

    assert code == 0, stderr
    assert "run night (resumed)" in stdout
    assert f"{len(finished)} done before" in stdout
    assert {name: copy.shards[name] for name in finished} == finished
    assert copy.rows["item_id"].to_pylist() == ITEM_IDS
    assert lasting(copy.rows).equals(lasting(night.rows))
    wait_until(lambda: not started_with(marker))


def spoil_key(night: Night) -> str:
    night.write_run_file(engin={})
    return "night.yaml, line"


def spoil_bundle(night: Night) -> str:
    shutil.rmtree(night.folder / "bundle")
    return "no bundle here"


def spoil_catalog(night: Night) -> str:
    shutil.rmtree(night.folder / "images")
    return "manifest.csv: not found"


def spoil_taxonomy(night: Night) -> str:
    path = night.folder / "bundle" / "taxonomy.yaml"
    path.write_text(path.read_text().replace("Shoes", "Boots"))
    return "taxonomy.yaml is not the file that bundle.json describes"


def spoil_run_file(night: Night) -> str:
    Path(night.run_file).unlink()
    return "there is no such run file"


STAGES_BEFORE_A_RUN = {"reading the bundle", "looking for a run to resume", "reading the catalog"}
SPOILS = [spoil_key, spoil_bundle, spoil_catalog, spoil_taxonomy, spoil_run_file]


@pytest.fixture(scope="module")
def refused(
    night: Night, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Night, dict[str, bytes], str, subprocess.Popen[str]]]:
    """Jobs that begin with something spoilt, all at once: each takes a second to begin."""
    started = {}
    for spoil in SPOILS:
        copy = copy_of(night, tmp_path_factory.mktemp(spoil.__name__))
        expected = spoil(copy)
        before = copy.files()
        started[spoil.__name__] = copy, before, expected, start("jobs.classify", copy.run_file)
    return started


@pytest.mark.parametrize("spoil", [spoil.__name__ for spoil in SPOILS])
def test_bad_input_is_one_sentence_and_exit_code_2_before_anything_is_written(
    spoil: str, refused: dict[str, tuple[Night, dict[str, bytes], str, subprocess.Popen[str]]]
) -> None:
    night, before, expected, process = refused[spoil]

    code, stdout, stderr = finish(process)

    assert code == 2
    at_once = spoil in {"spoil_key", "spoil_run_file"}
    said = [line.removeprefix("still ").partition(",")[0] for line in stdout.splitlines()]
    assert set(said) <= (set() if at_once else STAGES_BEFORE_A_RUN)
    assert stderr.startswith("error: ")
    assert expected in stderr
    assert len(stderr.splitlines()) == 1
    assert night.files() == before


def assert_refused_for_its_model(night: Night) -> None:
    (night.folder / "bundle" / "model.safetensors").write_bytes(b"of another training")

    result = run_job("classify", night.run_file)

    assert result.exit_code in {1, 2}
    assert "model.safetensors is not the file that bundle.json describes" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not Path(night.table_uri).exists()


def test_a_damaged_model_is_one_sentence_though_only_processes_read_it(copy: Night) -> None:
    assert_refused_for_its_model(copy)


@pytest.mark.ray
@pytest.mark.usefixtures("ray")
def test_a_damaged_model_is_one_sentence_though_only_actors_read_it(copy: Night) -> None:
    assert_refused_for_its_model(copy)


@pytest.mark.ray
@pytest.mark.usefixtures("ray")
def test_ray_gives_the_same_rows_as_processes_of_this_machine(night: Night, copy: Night) -> None:
    result = run_job("classify", copy.run_file)

    assert result.exit_code == 0, result.output
    assert "starting Ray" in result.stdout.splitlines()
    assert lasting(copy.rows).equals(lasting(night.rows))


@pytest.mark.faults
@pytest.mark.ray
@pytest.mark.usefixtures("ray")
def test_a_killed_worker_process_is_survived(night: Night, copy: Night) -> None:
    copy.write_run_file(engine={"unit_size": 2})
    killed: list[int] = []

    def kill_one() -> None:
        wait_until(lambda: bool(copy.shards))
        for process in descendants(psutil.Process().pid):
            if "UnitActor" in " ".join(process.cmdline()):
                process.kill()
                killed.append(len(copy.shards))
                return

    killer = threading.Thread(target=kill_one)
    killer.start()
    result = run_job("classify", copy.run_file)
    killer.join()

    assert result.exit_code == 0, result.output
    assert killed
    assert killed[0] < len(copy.shards)
    assert lasting(copy.rows).equals(lasting(night.rows))

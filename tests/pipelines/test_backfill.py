import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml
from deltalake import DeltaTable
from pyarrow import parquet

from lib.batches import to_parquet
from lib.catalog.catalog import CatalogConfig
from lib.catalog.diff import NightConfig
from lib.embeddings.store import EmbeddingStore
from lib.errors import InputError
from lib.images.config import ReadingConfig
from lib.inference.classify_unit import Classified, UnitClassifier
from lib.inference.config import UnitJob
from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from lib.models.bundle import Bundle, read_bundle
from lib.schemas import LABELS_SCHEMA
from pipelines.classify_plan import NightSource, compare
from pipelines.current_bundle import find_bundle
from tests.cluster.test_prometheus import scraped
from tests.helpers import catalogs
from tests.helpers.jobs import run_job, told_by, wait_until
from tests.helpers.local_ray import local_ray

PICTURES = catalogs.pictures(60)
MERGED = """\
version: "8"
replaces:
  version: "7"
  merged: {wear: [shirt, knitwear]}
  renamed: {shoes: footwear}
categories:
  - {id: wear, name: Wear}
  - {id: trousers, name: Trousers}
  - {id: skirt, name: Skirts}
  - {id: footwear, name: Footwear}
"""
SPLIT = """\
version: "8"
replaces:
  version: "7"
  split: {shirt: [blouse, polo]}
categories:
  - id: clothing
    name: Clothing
    children:
      - id: tops
        name: Tops
        children: [{id: blouse}, {id: polo}, {id: knitwear}]
      - id: bottoms
        name: Bottoms
        children: [{id: trousers}, {id: skirt}]
  - {id: shoes}
"""
RENAMED = """\
version: "8"
replaces: {version: "7", renamed: {shoes: footwear, knitwear: knits}, moved: [skirt, trousers]}
categories:
  - id: clothing
    name: Clothing
    children:
      - id: tops
        name: Upper half
        children: [{id: shirt}, {id: knits}]
  - id: legs
    name: Legwear
    children: [{id: trousers}, {id: skirt}]
  - {id: footwear, name: Footwear}
"""
ADDED = """\
version: "8"
replaces: {version: "7", added: [hat]}
categories: [{id: shirt}, {id: knitwear}, {id: trousers}, {id: skirt}, {id: shoes}, {id: hat}]
"""


def classify(bundle: str, items: pa.Table) -> Classified:
    """Classify items from their pixels, as a night does."""
    job = UnitJob(
        run=catalogs.run_at("", run_id="first"),
        bundle_uri=bundle,
        engine=catalogs.cpu_engine(8),
        reading=ReadingConfig(threads=4),
    )
    return UnitClassifier(job).embed(items)


class Shop:
    """A folder with images, a bundle, a published labels table and the embeddings beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table_uri = str(folder / "labels")
        self.manifest = str(folder / "images" / "manifest.csv")

    def prepare(self) -> None:
        files = {**PICTURES, **catalogs.BROKEN_FILES}
        catalogs.write_catalog(str(self.folder / "images"), files)
        bundle = catalogs.make_bundle(
            str(self.folder / "bundle"), architecture="squeezenet1_1", threshold=0.35
        )
        done = classify(bundle.uri, self.items)
        store = EmbeddingStore(
            str(self.folder / "embeddings"), bundle.backbone_digest, catalogs.LOCAL
        )
        store.append("first", [done.embeddings])
        place = done.rows.schema.get_field_index("name")
        titles = pa.array([f"Title of {each}" for each in done.rows["item_id"].to_pylist()])
        self.publish("first", done.rows.set_column(place, LABELS_SCHEMA.field("name"), titles))

    def publish(self, run_id: str, rows: pa.Table) -> None:
        part = str(self.folder / f"{run_id}.parquet")
        catalogs.LOCAL.write(part, to_parquet(rows))
        table = LabelsTable(self.table_uri, catalogs.LOCAL)
        made = read_bundle(str(self.folder / "bundle"), catalogs.LOCAL).made
        base = table.version()
        table.publish(Change(run_id=run_id, base=base, parts=[part], removed=None, made=made))

    def write(self, taxonomy: str, **changes: Any) -> str:  # noqa: ANN401  # any value of a run file
        """Write the taxonomy and the run file; return its path."""
        (self.folder / "taxonomy.yaml").write_text(taxonomy)
        described = {
            "output": str(self.folder / "runs"),
            "run_id": "move",
            "bundle": str(self.folder / "bundle"),
            "taxonomy": str(self.folder / "taxonomy.yaml"),
            "labels_table": self.table_uri,
            "embeddings": str(self.folder / "embeddings"),
            # an untrained network is unsure of most, and sums decide anew
            "gates": {
                "max_error_rate": 0.2,
                "max_category_changes": None,
                "max_mix_shift": None,
            },
            "engine": {"device": "cpu", "precision": "fp32", "actors": 2, "cpus_per_actor": 1},
        }
        path = self.folder / "move.yaml"
        path.write_text(yaml.safe_dump(described | changes))
        return str(path)

    def examples(self, **labels: str) -> str:
        """Write examples by item id; `shirts_to` labels this shop's shirts in turn."""
        path = self.folder / "examples.csv"
        path.write_text("item_id,category_id\n" + "".join(f"{i},{c}\n" for i, c in labels.items()))
        return str(path)

    def shirts(self, count: int) -> dict[str, str]:
        """Call the first shirts of the table blouses and polos, in turn."""
        rows = self.rows(0).filter(pc.equal(self.rows(0)["category_id"], "shirt"))
        ids = rows["item_id"].to_pylist()[:count]
        return {each: ("blouse", "polo")[n % 2] for n, each in enumerate(ids)}

    @property
    def items(self) -> pa.Table:
        return catalogs.read_items(self.manifest)

    def rows(self, version: int | None = None) -> pa.Table:
        return (
            DeltaTable(self.table_uri, version=version)
            .to_pyarrow_table(columns=LABELS_SCHEMA.names)
            .sort_by("item_id")
        )

    @property
    def version(self) -> int:
        return DeltaTable(self.table_uri).version()

    def files(self) -> dict[str, bytes]:
        return catalogs.folder_of(self.folder)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.prepare()
    return shop


@pytest.fixture
def shop(original: Shop) -> Iterator[Shop]:
    """The shop, as if nothing had been moved: its images' paths are in its rows, so no copy."""
    kept = original.folder.parent / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(original.folder, kept)
    yield original
    shutil.rmtree(original.folder)
    kept.rename(original.folder)


def test_a_merge_is_settled_without_pixels_and_embeddings(shop: Shop) -> None:
    run_file = shop.write(MERGED)
    shutil.rmtree(shop.folder / "embeddings")
    images = (shop.folder / "images").rename(shop.folder / "hidden")

    result = run_job("backfill", run_file)

    images.rename(shop.folder / "images")
    assert result.exit_code == 0, result.output
    assert f"{shop.items.num_rows} rows to settle: {shop.items.num_rows} by rule" in result.output
    before, after = shop.rows(0), shop.rows()
    assert after["item_id"].equals(before["item_id"])
    assert after["error"].equals(before["error"])
    assert set(after["taxonomy_version"].to_pylist()) == {"8"}
    assert set(after["category_id"].drop_null().to_pylist()) <= {
        "wear", "trousers", "skirt", "footwear"
    }  # fmt: skip


def test_a_merged_category_is_as_sure_as_its_parts_together(shop: Shop) -> None:
    run_job("backfill", shop.write(MERGED))

    for old, new in zip(shop.rows(0).to_pylist(), shop.rows().to_pylist(), strict=True):
        if old["error"]:
            continue
        parts = {"shirt": "wear", "knitwear": "wear", "shoes": "footwear"}
        sums: dict[str, float] = {}
        for each in old["top_k"]:
            leaf = parts.get(each["category_id"], each["category_id"])
            sums[leaf] = sums.get(leaf, 0) + each["probability"]
        found = {each["category_id"]: each["probability"] for each in new["top_k"]}
        assert found == pytest.approx(sums, abs=1e-6)
        assert list(found.values()) == sorted(found.values(), reverse=True)


@pytest.mark.parametrize("taxonomy", [MERGED, SPLIT])
def test_the_new_bundle_gives_from_pixels_the_labels_of_the_backfill(
    shop: Shop, taxonomy: str
) -> None:
    labelled = {"examples": shop.examples(**shop.shirts(8))} if taxonomy == SPLIT else {}
    result = run_job("backfill", shop.write(taxonomy, labelled=labelled))
    assert result.exit_code == 0, result.output

    by_pixels = classify(str(shop.folder / "runs/move/bundle"), shop.items).rows

    rows = shop.rows()
    assert rows["item_id"].equals(by_pixels["item_id"])
    for column in ("category_id", "category_path", "decision", "bundle_digest"):
        assert rows[column].to_pylist() == by_pixels[column].to_pylist(), column
    both = (rows["confidence"].drop_null(), by_pixels["confidence"].drop_null())
    assert both[0].to_pylist() == pytest.approx(both[1].to_pylist(), abs=1e-5)


def test_the_new_bundle_has_the_old_backbone(shop: Shop) -> None:
    run_job("backfill", shop.write(MERGED))

    old = read_bundle(str(shop.folder / "bundle"), catalogs.LOCAL)
    new = read_bundle(str(shop.folder / "runs/move/bundle"), catalogs.LOCAL)
    assert new.backbone_digest == old.backbone_digest
    assert new.taxonomy.version == "8"
    assert new.taxonomy.replaces is not None


def test_a_split_relabels_only_what_may_be_of_its_parts(shop: Shop) -> None:
    labelled = {"examples": shop.examples(**shop.shirts(8))}

    result = run_job("backfill", shop.write(SPLIT, labelled=labelled))

    assert result.exit_code == 0, result.output
    before, after = shop.rows(0).to_pylist(), shop.rows().to_pylist()
    moved = [(o, n) for o, n in zip(before, after, strict=True) if o["category_id"] == "shirt"]
    assert {n["category_id"] for _, n in moved} <= {"blouse", "polo", "tops", "clothing"}
    assert {n["category_id"] for _, n in moved} & {"blouse", "polo"}
    for old, new in zip(before, after, strict=True):
        if old["category_id"] not in {"shirt", None} and old["decision"] == "accept":
            assert new["category_id"] == old["category_id"]
    assert shop.rows()["name"].equals(shop.rows(0)["name"])


def test_an_added_category_asks_every_row_and_fits_the_head_anew(shop: Shop) -> None:
    ids = [i for i in shop.items["item_id"].to_pylist() if i in PICTURES]
    leaves = ("shirt", "knitwear", "trousers", "skirt", "shoes")
    old = {each: leaves[n % 5] for n, each in enumerate(ids[:40])}
    manifest = catalogs.write_catalog(str(shop.folder / "images"), PICTURES, labels=old)
    labelled = {
        "catalog": {"uri": manifest},
        "examples": shop.examples(**dict.fromkeys(ids[40:45], "hat")),
    }

    result = run_job("backfill", shop.write(ADDED, labelled=labelled))

    assert result.exit_code == 0, result.output
    assert f"{len(PICTURES)} by the model on their embeddings" in result.output
    leaves_now = set(read_bundle(str(shop.folder / "runs/move/bundle"), catalogs.LOCAL).info.leaves)
    assert leaves_now == {*leaves, "hat"}


def test_the_table_changes_in_one_commit_and_can_be_rolled_back(shop: Shop) -> None:
    before = shop.rows()

    run_job("backfill", shop.write(MERGED))

    assert shop.version == 1
    assert shop.rows(0).equals(before)
    result = run_job("publish", str(shop.folder / "runs/move"), "--rollback", "0")
    assert result.exit_code == 0, result.output
    assert shop.rows().equals(before)


def plan_night(shop: Shop, bundle: str, **changes: Any) -> Bundle:  # noqa: ANN401  # as `write`
    """Plan a night of the shop, and return the bundle that it would use."""
    table = LabelsTable(shop.table_uri, catalogs.LOCAL)
    found = find_bundle(bundle, table, catalogs.LOCAL)
    source = NightSource(
        catalog=CatalogConfig(uri=shop.manifest),
        labels_table=shop.table_uri,
        night=NightConfig(**changes),
        unit_size=8,
        limit=None,
        full=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        compare(source, found, catalogs.LOCAL, Path(folder), print)
    return found


def test_after_a_backfill_a_night_with_the_bundle_before_is_refused(shop: Shop) -> None:
    old, new = str(shop.folder / "bundle"), str(shop.folder / "runs/move/bundle")
    plan_night(shop, old)
    run_job("backfill", shop.write(MERGED))

    with pytest.raises(InputError, match=f"of taxonomy version 8, made by the bundle {new}"):
        plan_night(shop, old)
    plan_night(shop, new)
    plan_night(shop, old, redo=("taxonomy",))


def test_the_current_bundle_moves_with_a_backfill_and_back_with_a_rollback(shop: Shop) -> None:
    old, new = str(shop.folder / "bundle"), str(shop.folder / "runs/move/bundle")
    assert plan_night(shop, "current").uri == old

    run_job("backfill", shop.write(MERGED, bundle="current"))
    assert plan_night(shop, "current").uri == new

    run_job("publish", str(shop.folder / "runs/move"), "--rollback", "0")
    assert plan_night(shop, "current").uri == old


def test_a_current_bundle_that_another_has_taken_the_place_of_is_not_used(shop: Shop) -> None:
    catalogs.make_bundle(str(shop.folder / "bundle"), architecture="squeezenet1_1", threshold=0.5)

    with pytest.raises(InputError, match="another bundle has taken its place"):
        plan_night(shop, "current")


def test_a_bundle_is_to_be_named_where_there_are_no_labels_yet(tmp_path: Path) -> None:
    table = LabelsTable(str(tmp_path / "labels"), catalogs.LOCAL)
    with pytest.raises(InputError, match="name the bundle for once"):
        find_bundle("current", table, catalogs.LOCAL)


def test_the_same_command_again_changes_nothing(shop: Shop) -> None:
    run_file = shop.write(MERGED)
    run_job("backfill", run_file)
    before = shop.files()

    result = run_job("backfill", run_file)

    assert result.exit_code == 0
    assert "has ended before" in result.output
    assert shop.files() == before


def test_a_run_that_was_cut_short_goes_on_from_its_parts(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.backfill.routing.UNIT_ROWS", 16)
    run_file = shop.write(MERGED)
    assert run_job("backfill", run_file, "--no-publish").exit_code == 0
    run = shop.folder / "runs/move"
    (run / "manifest.json").unlink()
    (run / "labels/part-00001.parquet").unlink()
    kept = {p.name: p.stat().st_mtime_ns for p in (run / "labels").glob("*.parquet")}
    assert len(kept) >= 3

    result = run_job("backfill", run_file)

    assert result.exit_code == 0, result.output
    assert "run move (resumed)" in result.output
    now = {p.name: p.stat().st_mtime_ns for p in (run / "labels").glob("*.parquet")}
    assert {name: now[name] for name in kept} == kept
    assert shop.rows()["item_id"].equals(shop.rows(0)["item_id"])


def test_another_run_meanwhile_is_a_conflict_with_exit_code_4(shop: Shop) -> None:
    assert run_job("backfill", shop.write(MERGED), "--no-publish").exit_code == 0
    rows = shop.rows(0)
    other = pc.if_else(pc.is_valid(rows["item_id"]), "other", rows["run_id"])
    place = rows.schema.get_field_index("run_id")
    rows = rows.set_column(place, rows.schema.field("run_id"), other)
    shop.publish("other", rows.slice(0, 1))

    result = run_job("publish", str(shop.folder / "runs/move"), "--json")

    assert result.exit_code == 4, result.output
    assert "another has published 1" in result.stderr
    told = told_by(result.stdout)
    assert (told["job"], told["state"], told["exit_code"]) == ("publish", "conflict", 4)
    # a scheduler's second try must not take the conflict for a good run
    assert run_job("backfill", str(shop.folder / "move.yaml")).exit_code == 4
    assert set(shop.rows()["taxonomy_version"].to_pylist()) == {"7"}


def test_a_gate_keeps_a_backfill_from_being_published(shop: Shop) -> None:
    result = run_job("backfill", shop.write(MERGED, gates={"max_error_rate": 0.01}), "--json")

    assert result.exit_code == 3
    assert "max_error_rate" in result.stderr
    assert shop.version == 0
    told = told_by(result.stdout)
    assert (told["state"], told["version"], told["exit_code"]) == ("refused", None, 3)
    assert Path(told["report"]).exists()


def test_a_backfill_that_is_published_tells_a_scheduler_its_version_and_its_bundle(
    shop: Shop,
) -> None:
    result = run_job("backfill", shop.write(MERGED), "--json")

    told = told_by(result.stdout)
    assert (told["state"], told["exit_code"], told["error"]) == ("published", 0, None)
    assert told["version"] == shop.version
    assert told["items"] == told["labelled"] + told["errors"] == shop.rows().num_rows
    assert Path(told["bundle"]) == shop.folder / "runs/move/bundle"


def test_a_rollback_tells_a_scheduler_the_new_version(shop: Shop) -> None:
    assert run_job("backfill", shop.write(MERGED)).exit_code == 0

    result = run_job("publish", str(shop.folder / "runs/move"), "--rollback", "0", "--json")

    told = told_by(result.stdout)
    assert (told["state"], told["version"]) == ("rolled back", shop.version)


def test_what_the_migration_explains_is_no_change_to_a_gate(shop: Shop) -> None:
    gates = {"max_category_changes": 0, "max_mix_shift": 0, "max_error_rate": 0.2}
    result = run_job("backfill", shop.write(RENAMED, gates=gates))
    assert result.exit_code == 0, result.output


def test_a_dry_run_says_the_routes_and_writes_nothing(shop: Shop) -> None:
    run_file = shop.write(SPLIT, labelled={"examples": shop.examples(**shop.shirts(8))})
    before = shop.files()

    result = run_job("backfill", "--dry-run", run_file, "--json")

    assert result.exit_code == 0, result.output
    assert re.search(r"rows to settle: \d+ by rule", result.output)
    assert "in all, by a sample" in result.output
    begun = result.stdout.splitlines()
    for stage in (
        "reading the bundle, the taxonomies and the labelled items",
        "reading the labels table",
        "sorting its rows: by rule, by embedding, by image",
        "fitting the head",
        "trying it on a few rows",
    ):
        begun = begun[begun.index(stage) :]
    assert shop.files() == before
    told = told_by(result.stdout)
    assert (told["state"], told["run"], told["items"]) == ("planned", None, shop.rows().num_rows)
    assert told["by_rule"] + told["by_model"] + told["by_pixels"] == told["items"]


def test_what_a_labelled_catalog_leaves_out_is_said(shop: Shop, tmp_path: Path) -> None:
    for leaf in ("shirt", "skirt"):
        (tmp_path / leaf).mkdir()
        for name, data in catalogs.pictures(5).items():
            (tmp_path / leaf / name).write_bytes(data)
    (tmp_path / "shirt" / "040.heic").write_bytes(b"of a phone")
    (tmp_path / "linked").symlink_to(shop.folder)
    labelled = {"catalog": {"uri": str(tmp_path), "labels": "folder"}}

    result = run_job("backfill", "--dry-run", shop.write(MERGED, labelled=labelled))

    assert result.exit_code == 0, result.output
    assert "left out: 1 linked folder (not followed), 1 .heic" in result.stdout.splitlines()


@pytest.mark.processes
@pytest.mark.timeout(240)
def test_rows_without_an_embedding_go_the_way_of_pixels_and_get_one(shop: Shop) -> None:
    (path,) = (shop.folder / "embeddings").rglob("*.parquet")
    kept = parquet.read_table(path)
    parquet.write_table(kept.slice(5), path)
    run_file = shop.write(SPLIT.replace("split: {shirt: [blouse, polo]}", "added: [polo]").replace(
        "blouse", "shirt"), labelled=_labels(shop))  # fmt: skip

    result = run_job("backfill", run_file)

    assert result.exit_code == 0, result.output
    assert "5 by the model on their images, for want of an embedding" in result.output
    assert shop.rows()["item_id"].equals(shop.rows(0)["item_id"])
    assert shop.rows()["name"].equals(shop.rows(0)["name"])
    by_pixels = classify(str(shop.folder / "runs/move/bundle"), shop.items).rows
    assert shop.rows()["category_id"].to_pylist() == by_pixels["category_id"].to_pylist()
    stored = sum(parquet.read_metadata(p).num_rows for p in path.parent.glob("*.parquet"))
    assert stored == kept.num_rows


def figures_of(shop: Shop, run_id: str) -> list[dict[str, Any]]:
    text = (shop.folder / "runs" / run_id / "metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.processes
@pytest.mark.timeout(240)
def test_labelled_items_without_an_embedding_are_embedded_first(shop: Shop) -> None:
    ids = [each for each in shop.items["item_id"].to_pylist() if each in PICTURES]
    leaves = ("shirt", "knitwear", "trousers", "skirt", "shoes")
    old = {each: leaves[n % 5] for n, each in enumerate(ids[:40])}
    manifest = catalogs.write_catalog(str(shop.folder / "images"), PICTURES, labels=old)
    (path,) = (shop.folder / "embeddings").rglob("*.parquet")
    kept = parquet.read_table(path)
    lost = pc.match_substring_regex(kept["uri"], "|".join(ids[:6]))
    parquet.write_table(kept.filter(pc.invert(lost)), path)
    labelled = {
        "catalog": {"uri": manifest},
        "examples": shop.examples(**dict.fromkeys(ids[40:45], "hat")),
    }

    result = run_job("backfill", shop.write(ADDED, labelled=labelled))

    assert result.exit_code == 0, result.output
    assert "6 labelled items have no embedding; they are embedded first" in result.output
    assert "left out: no embedding" not in result.output
    stored = sum(parquet.read_metadata(p).num_rows for p in path.parent.glob("*.parquet"))
    assert stored == kept.num_rows


def test_the_figures_of_a_backfill_stand_in_its_folder(shop: Shop) -> None:
    run_file = shop.write(SPLIT, labelled={"examples": shop.examples(**shop.shirts(8))})

    assert run_job("backfill", run_file).exit_code == 0

    last = figures_of(shop, "move")[-1]
    rows = shop.rows()
    assert last["done"] == last["items"] == rows.num_rows
    assert sum(last["errors"].values()) == pc.sum(pc.is_valid(rows["error"])).as_py()


@pytest.mark.ray
@pytest.mark.timeout(240)
def test_a_clusters_actors_score_as_threads_do(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    run_file = shop.write(SPLIT, labelled={"examples": shop.examples(**shop.shirts(8))})
    assert run_job("backfill", run_file, "--no-publish").exit_code == 0
    by_threads = parquet.read_table(shop.folder / "runs/move/labels")

    with local_ray():
        monkeypatch.setenv("RAY_ADDRESS", "of the Ray that is there")
        result = run_job("backfill", run_file, "--set", "run_id=again")
        wait_until(lambda: "ray_reshelve_items_total again" in scraped(), at_most_s=60)
        counted = scraped()["ray_reshelve_items_total again"]

    assert result.exit_code == 0, result.output
    assert counted == by_threads.num_rows
    assert figures_of(shop, "again")[-1]["node_hours"].keys() == {"cpu"}
    stamps = ["run_id", "classified_at", "bundle_digest"]
    on_cluster = parquet.read_table(shop.folder / "runs/again/labels")
    one, two = (each.drop_columns(stamps).sort_by("item_id") for each in (by_threads, on_cluster))
    assert one.equals(two)


def _labels(shop: Shop) -> dict[str, Any]:
    """Examples of every leaf of the taxonomy, the last one new."""
    store = next((shop.folder / "embeddings").rglob("*.parquet"))
    uris = set(parquet.read_table(store)["uri"].to_pylist())
    items = shop.items.filter(pc.is_in(shop.items["uri"], pa.array(sorted(uris))))
    ids = items["item_id"].to_pylist()
    leaves = ("shirt", "polo", "knitwear", "trousers", "skirt", "shoes")
    return {"examples": shop.examples(**{i: leaves[n % 6] for n, i in enumerate(ids[:36])})}


def test_an_unknown_taxonomy_of_the_table_is_refused(shop: Shop) -> None:
    result = run_job("backfill", shop.write(MERGED.replace('version: "7"', 'version: "6"')))
    assert_refused(result, "replaces version 6, not 7", shop)


def assert_refused(result: Any, said: str, shop: Shop) -> None:  # noqa: ANN401  # typer's result
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert shop.version == 0
    assert not (shop.folder / "runs").exists()


def test_a_store_of_another_backbone_is_refused(shop: Shop) -> None:
    (store,) = (shop.folder / "embeddings").iterdir()
    store.rename(store.with_name("0" * 64))
    labelled = {"examples": shop.examples(**shop.shirts(8))}
    result = run_job("backfill", shop.write(SPLIT, labelled=labelled))
    assert_refused(result, "of another backbone (000000000000)", shop)


@pytest.mark.parametrize(
    ("examples", "said"),
    [
        ({"000.jpg": "socks"}, "labels 'socks' are not in taxonomy version 8"),
        ({"nowhere.jpg": "polo"}, "'nowhere.jpg' is neither a labelled item nor one of"),
        ({"000.jpg": "polo", "003.jpg": "polo"}, "'blouse' has 0"),
    ],
)
def test_examples_that_cannot_be_used_are_refused_by_name(
    shop: Shop, examples: dict[str, str], said: str
) -> None:
    run_file = shop.write(SPLIT, labelled={"examples": shop.examples(**examples)})
    assert_refused(run_job("backfill", run_file), said, shop)


def test_labels_of_another_taxonomy_in_the_table_are_refused_by_name(shop: Shop) -> None:
    rows = shop.rows(0)
    place = rows.schema.get_field_index("taxonomy_version")
    other = pa.repeat("3", rows.num_rows)
    shop.publish("other", rows.set_column(place, rows.schema.field(place), other).slice(0, 1))

    result = run_job("backfill", shop.write(MERGED))

    assert result.exit_code == 2
    assert "is of taxonomy version 3, the bundle's is 7" in result.stderr

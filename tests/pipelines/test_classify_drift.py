"""Nights that are published one after the other; what the model made of them is drawn."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lib.batches import to_parquet
from lib.catalog.diff import Diff
from lib.drift.comparison import Drift
from lib.drift.sample import Sample, Sampler
from lib.embeddings.store import to_table
from lib.errors import ConflictError, GateError
from lib.images.config import ReadingConfig
from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from lib.labels.gates import GatesConfig
from lib.runs import files
from lib.runs.begin import begin_run
from lib.runs.compaction import compact
from lib.runs.manifest import Manifest, write_manifest
from lib.runs.receipt import Receipt
from lib.runs.run import Intent, Run
from lib.runs.shards import read_embeddings, write_embeddings, write_shard
from lib.schemas import ITEM_SCHEMA, LABELS_SCHEMA
from pipelines.classify_plan import NightPlan
from pipelines.classify_publish import NightPublisher
from pipelines.publication import PublishConfig
from pipelines.publish_finished import publish_finished
from tests.helpers import catalogs
from tests.helpers.report_reading import Page
from tests.helpers.samples import LEAVES, photos, sample

ITEMS, UNIT = 300, 100
RECEIPT = {
    "engine": "drawn",
    "errors": {},
    "decisions": {},
    "bytes_fetched": 0,
    "retries": 0,
    **dict.fromkeys(("fetch_s", "decode_s", "forward_s", "seconds"), 1.0),
}
OPEN = GatesConfig(max_category_changes=None, max_mix_shift=None)


class Shop:
    """A labels table with nights of drawn items."""

    def __init__(self, folder: Path, reference: Sample | None = None) -> None:
        self.folder, self.said = folder, list[str]()
        self.bundle = catalogs.make_bundle(
            str(folder / "bundle"), architecture="squeezenet1_1", reference=reference
        )
        self.table = LabelsTable(str(folder / "labels"), catalogs.LOCAL)

    def classify(self, name: str, *, shift: float = 0.0, items: int = ITEMS) -> Run:
        """Finish a night of new items, of which some photos may be of another kind."""
        intent = Intent(job="classify", fingerprint=self.bundle.fingerprint, run_file={})
        run = begin_run(str(self.folder / "runs"), name, intent, catalogs.LOCAL)
        ids = [f"{name}-{n:04d}" for n in range(items)]
        planned = pa.Table.from_pylist([{"item_id": i, "uri": i, "etag": "1"} for i in ids])
        plan = catalogs.write_plan(
            run, pa.Table.from_pylist(planned.to_pylist(), ITEM_SCHEMA), UNIT
        )
        rng = np.random.default_rng(len(name) + ord(name[0]))
        for unit in plan.units:
            rows = self._rows(run, plan.read(unit)["item_id"].to_pylist(), rng)
            drawn = photos(rng, rows.num_rows, shift).astype(np.float16)
            write_embeddings(run, unit, to_table(rows["uri"], rows["etag"], drawn))
            receipt = Receipt.model_validate(
                RECEIPT | {"unit": unit, "items": UNIT, "labelled": UNIT}
            )
            write_shard(run, rows, receipt)
        sampler = Sampler()

        def settle(rows: pa.Table) -> pa.Table:
            sampler.add(rows)
            return rows

        parts, totals = compact(run, plan, settle=settle)
        for _ in sampler.watch(read_embeddings(run, plan.units)):
            pass
        run.write(files.SAMPLE, sampler.sample.to_parquet())
        removed = pa.table({"item_id": pa.array([], pa.string())})
        run.write_table(files.REMOVED, removed)
        night = NightPlan(
            diff=Diff(new=items),
            base_version=self.table.version(),
            whole_catalog=True,
            snapshot_digest="",
            items=items,
        )
        run.write(files.NIGHT, night.model_dump_json().encode())
        manifest = Manifest(
            run_id=name,
            finished_at="2026-11-23T02:15:00+00:00",
            catalog="drawn",
            bundle=self.bundle.uri,
            taxonomy_version=self.bundle.taxonomy.version,
            fingerprint=self.bundle.fingerprint,
            parts=tuple(parts),
            totals=totals,
            seconds=1,
            images_per_s=items,
        )
        write_manifest(run, manifest)
        return run

    def _rows(self, run: Run, ids: list[str], rng: np.random.Generator) -> pa.Table:
        labels = catalogs.label_rows(ids, run.run_id).to_pylist()
        for row in labels:
            leaf, probability = str(rng.choice(LEAVES, p=(0.5, 0.3, 0.2))), float(rng.beta(5, 1))
            best = {"category_id": leaf, "probability": probability}
            row |= {"uri": row["item_id"], "top_k": [best]}
        return pa.Table.from_pylist(labels, LABELS_SCHEMA)

    def publish(self, run: Run, max_drift: float | None = None) -> Drift:
        config = PublishConfig(
            labels_table=self.table.name,
            gates=OPEN.model_copy(update={"max_drift": max_drift}),
            reading=ReadingConfig(threads=1, stores=()),
        )
        publish_finished(config, run, NightPublisher.of(run), self.said.append)
        return self.drift_of(run)

    def drift_of(self, run: Run) -> Drift:
        found = run.find(files.DRIFT, Drift)
        assert found
        return found


def test_a_night_is_compared_with_the_training_and_with_the_nights_before(tmp_path: Path) -> None:
    shop = Shop(tmp_path, sample(9, 600))
    shop.publish(shop.classify("a"))
    shop.publish(shop.classify("b"))
    night = shop.classify("c", shift=20)

    drift = shop.publish(night)

    training, before = drift.comparisons
    assert (training.items, before.items) == (600, 2 * ITEMS)
    assert training.photos is not None
    assert training.photos > 0.8
    assert drift.sentence in shop.said
    assert f"{drift.sentence[1:]}." in Page(night.read(files.REPORT).decode()).text


def test_a_gate_on_drift_keeps_the_table_and_names_the_key(tmp_path: Path) -> None:
    shop = Shop(tmp_path, sample(9, 600))
    night = shop.classify("a", shift=20)

    with pytest.raises(GateError, match=r"gates\.max_drift allows 20\.0%; not published"):
        shop.publish(night, max_drift=0.2)

    assert shop.table.version() is None
    assert shop.drift_of(night).sentence in shop.said


def test_a_night_like_the_others_passes_the_gate(tmp_path: Path) -> None:
    shop = Shop(tmp_path, sample(9, 600))
    shop.publish(shop.classify("a"))

    assert shop.publish(shop.classify("b"), max_drift=0.1).value == pytest.approx(0, abs=0.05)


def test_a_small_night_is_not_judged_and_passes_any_gate(tmp_path: Path) -> None:
    shop = Shop(tmp_path, sample(9, 600))

    drift = shop.publish(shop.classify("a", shift=20, items=100), max_drift=0.0)

    assert drift.value is None
    assert "drift was not judged: 100 labels are too few, at least 200 are needed" in shop.said


def test_a_night_that_was_rolled_back_is_no_night_before(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.publish(shop.classify("a"))
    shop.publish(shop.classify("b", shift=20))
    shop.table.roll_back(0)

    (before,) = shop.publish(shop.classify("c")).comparisons

    assert before.items == ITEMS
    assert before.photos == pytest.approx(0, abs=0.05)


def test_a_night_whose_folder_is_gone_is_passed_over(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.publish(shop.classify("a"))
    shop.publish(shop.classify("b"))
    catalogs.LOCAL.delete_below(str(tmp_path / "runs" / "b"))

    (before,) = shop.publish(shop.classify("c")).comparisons

    assert before.items == ITEMS


def test_nights_of_another_bundle_are_not_compared(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.publish(shop.classify("a"))
    shop.bundle = catalogs.make_bundle(
        str(tmp_path / "other"), architecture="squeezenet1_1", threshold=0.7
    )

    assert shop.publish(shop.classify("b")).comparisons == ()


def test_a_night_that_an_older_version_has_classified_is_published_without(tmp_path: Path) -> None:
    shop = Shop(tmp_path, sample(9, 600))
    night = shop.classify("a")
    catalogs.LOCAL.delete(night.at(files.SAMPLE))
    config = PublishConfig(
        labels_table=shop.table.name,
        gates=GatesConfig(max_drift=0),
        reading=ReadingConfig(threads=1, stores=()),
    )

    publish_finished(config, night, NightPublisher.of(night), shop.said.append)

    assert shop.table.version() == 0
    assert "drift" not in " ".join(shop.said)
    assert 'id="drift"' not in night.read(files.REPORT).decode()


def test_photos_unlike_the_training_are_shown_the_farthest_first(tmp_path: Path) -> None:
    shop = Shop(tmp_path, sample(9, 600))
    night = shop.classify("a", shift=60)

    drift = shop.publish(night)

    assert len(drift.unfamiliar) > 200
    page = night.read(files.REPORT).decode()
    section = page.partition('id="drift"')[2].partition("</section>")[0]
    assert "Showing the farthest 24 of" in section
    assert section.index(drift.unfamiliar[0]) < section.index(drift.unfamiliar[23])
    assert drift.unfamiliar[24] not in section


def test_a_run_is_not_put_into_a_table_that_has_moved_to_another_taxonomy(tmp_path: Path) -> None:
    shop = Shop(tmp_path, sample(9, 600))
    shop.publish(shop.classify("a"))
    late = shop.classify("b")
    part = str(tmp_path / "moved.parquet")
    catalogs.LOCAL.write(part, to_parquet(catalogs.label_rows(["other"], "moved")))
    other = {"taxonomy_version": "8", "taxonomy_digest": "8", "run_id": "moved"}
    made = shop.bundle.made.model_copy(update=other)
    change = Change(run_id="moved", base=0, parts=[part], removed=None, made=made)
    shop.table.publish(change)

    with pytest.raises(ConflictError, match="moved to taxonomy version 8 with version 1"):
        shop.publish(late)

    assert shop.table.version() == 1

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from pyarrow import parquet

from lib.images.config import ReadingConfig
from lib.images.decode import decode
from lib.images.device_decode import DeviceDecoder
from lib.images.formats import DecodeLimits
from lib.images.preparer import Preparer
from lib.images.resize import resize
from lib.inference.classify_unit import UnitClassifier
from lib.inference.config import UnitJob
from lib.inference.predictor import Predictor
from lib.models.bundle import Bundle
from lib.models.options import Precision, Runtime
from lib.models.runtimes import Networks
from lib.reasons import Reason
from lib.runs.receipt import add_up
from lib.schemas import LABELS_SCHEMA
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from tests.conftest import Bucket
from tests.helpers import catalogs
from tests.helpers.jobs import ROOT

PICTURES = catalogs.pictures(30)
FILES = {**PICTURES, **catalogs.BROKEN_FILES}
MISSING = [name for name in catalogs.BROKEN if name not in FILES]
BATCH = 8
SAME_EVERYWHERE = ["item_id", "category_id", "category_path", "confidence", "top_k", "decision"]


def classifier_of(
    bundle: Bundle, precision: Precision = "fp32", *, few: bool = False
) -> UnitClassifier:
    job = UnitJob(
        run=catalogs.run_at("", run_id="run-1"),
        bundle_uri=bundle.uri,
        engine=catalogs.cpu_engine(BATCH, precision=precision),
        reading=ReadingConfig(threads=4),
    )
    return UnitClassifier(job, few=few)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return catalogs.make_bundle(str(tmp_path_factory.mktemp("bundle")))


@pytest.fixture(scope="module")
def fp32(bundle: Bundle) -> UnitClassifier:
    return classifier_of(bundle)


@pytest.fixture(scope="module")
def bf16(bundle: Bundle) -> UnitClassifier:
    return classifier_of(bundle, "bf16")


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    folder = tmp_path_factory.mktemp("catalog")
    return catalogs.read_items(catalogs.write_catalog(str(folder), FILES, missing=MISSING))


@pytest.fixture(scope="module")
def rows(fp32: UnitClassifier, items: pa.Table) -> pa.Table:
    return fp32.classify(items)[0]


def in_units(classifier: UnitClassifier, items: pa.Table, unit_size: int) -> pa.Table:
    starts = range(0, items.num_rows, unit_size)
    units = [classifier.classify(items.slice(start, unit_size))[0] for start in starts]
    return pa.concat_tables(units)


def labels(rows: pa.Table) -> pa.Table:
    return rows.select(SAME_EVERYWHERE).combine_chunks()


def named(table: pa.Table, names: Sequence[str]) -> pa.Table:
    return table.filter(pc.is_in(table["item_id"], pa.array(names)))


def test_every_item_is_one_row_in_the_order_given(fp32: UnitClassifier, items: pa.Table) -> None:
    shuffled = items.take(np.random.default_rng(3).permutation(items.num_rows))

    rows, _ = fp32.classify(shuffled)

    for column in ("item_id", "uri", "etag"):
        assert rows[column].to_pylist() == shuffled[column].to_pylist()


def test_every_row_has_its_items_name_an_error_too(fp32: UnitClassifier, items: pa.Table) -> None:
    names = [f"Title of {each}" for each in items["item_id"].to_pylist()]
    place = items.schema.get_field_index("name")
    titled = items.set_column(place, items.schema.field("name"), pa.array(names))

    rows, _ = fp32.classify(titled)

    assert rows["error"].null_count < rows.num_rows
    assert rows["name"].to_pylist() == names


def test_the_rows_have_exactly_the_columns_of_the_labels_table(rows: pa.Table) -> None:
    assert rows.schema.equals(LABELS_SCHEMA, check_metadata=True)
    assert [f.nullable for f in rows.schema] == [f.nullable for f in LABELS_SCHEMA]
    rows.validate(full=True)
    for field in LABELS_SCHEMA:
        assert field.nullable or rows[field.name].null_count == 0


def test_a_broken_item_has_reason_and_detail_and_no_label(rows: pa.Table) -> None:
    broken = named(rows, list(catalogs.BROKEN)).to_pylist()

    assert {row["item_id"]: row["error"] for row in broken} == {
        name: str(reason) for name, (reason, _) in catalogs.BROKEN.items()
    }
    for row in broken:
        assert row["decision"] == "error"
        assert row["error_detail"]
        for column in ("category_id", "category_path", "confidence", "top_k"):
            assert row[column] is None


def test_a_good_item_has_a_label_and_no_error(rows: pa.Table, bundle: Bundle) -> None:
    good = named(rows, list(PICTURES)).to_pylist()

    assert len(good) == len(PICTURES)
    for row in good:
        assert row["error"] is None
        assert row["error_detail"] is None
        assert row["category_path"] == catalogs.TAXONOMY.path(row["category_id"])
        assert 0 < row["confidence"] <= 1
        probabilities = [each["probability"] for each in row["top_k"]]
        assert probabilities == sorted(probabilities, reverse=True)
        assert row["bundle_digest"] == bundle.digest


def test_the_pictures_are_told_apart_and_every_decision_occurs(rows: pa.Table) -> None:
    # else the tests below would compare nothing
    assert len(set(named(rows, list(PICTURES))["confidence"].to_pylist())) == len(PICTURES)
    assert set(rows["decision"].to_pylist()) == {"accept", "parent", "review", "error"}


@pytest.mark.parametrize("unit_size", [1, 3, 7, 64])
# most processors emulate bf16
@pytest.mark.parametrize("precision", ["fp32", pytest.param("bf16", marks=pytest.mark.networks)])
def test_the_unit_size_changes_no_bit_of_a_label(
    unit_size: int, precision: str, items: pa.Table, request: pytest.FixtureRequest
) -> None:
    classifier: UnitClassifier = request.getfixturevalue(precision)
    whole, _ = classifier.classify(items)

    assert labels(in_units(classifier, items, unit_size)).equals(labels(whole))


def test_the_neighbours_of_an_image_change_no_bit_of_its_label(
    fp32: UnitClassifier, items: pa.Table, rows: pa.Table
) -> None:
    backwards, _ = fp32.classify(items.take(list(reversed(range(items.num_rows)))))

    assert labels(backwards.sort_by("item_id")).equals(labels(rows))


def test_the_same_image_beside_itself_has_the_same_label(
    fp32: UnitClassifier, items: pa.Table, rows: pa.Table
) -> None:
    twins, _ = fp32.classify(items.take([4] * (2 * BATCH + 1)))

    assert labels(twins).equals(labels(rows.take([4] * (2 * BATCH + 1))))


def test_a_label_is_the_same_from_memory_as_from_disk(fp32: UnitClassifier, rows: pa.Table) -> None:
    manifest = catalogs.write_catalog("memory://labels-from-memory", FILES, missing=MISSING)
    try:
        in_memory, _ = fp32.classify(catalogs.read_items(manifest))
    finally:
        fsspec.filesystem("memory").rm("/labels-from-memory", recursive=True)

    assert labels(in_memory).equals(labels(rows))
    assert in_memory["error"].equals(rows["error"])


def test_a_label_is_the_same_from_s3_as_from_disk(
    s3: Bucket, bundle: Bundle, rows: pa.Table
) -> None:
    storage = Storage(StorageConfig())
    manifest = catalogs.write_catalog(f"{s3.uri}/images", FILES, storage, missing=MISSING)

    on_s3, _ = classifier_of(bundle).classify(catalogs.read_items(manifest, storage))

    assert labels(on_s3).equals(labels(rows))
    assert on_s3["error"].equals(rows["error"])


def test_a_unit_of_broken_items_alone_is_all_error_rows(
    fp32: UnitClassifier, items: pa.Table
) -> None:
    rows, receipt = fp32.classify(named(items, list(catalogs.BROKEN)))

    assert rows.schema.equals(LABELS_SCHEMA)
    assert rows["error"].null_count == 0
    assert rows["category_id"].null_count == rows.num_rows == len(catalogs.BROKEN)
    assert (receipt.labelled, receipt.items) == (0, len(catalogs.BROKEN))


def test_broken_items_at_the_end_of_a_unit_do_not_keep_the_last_batch_back(
    fp32: UnitClassifier, items: pa.Table
) -> None:
    broken = named(items, list(catalogs.BROKEN))
    last_are_broken = pa.concat_tables([items.slice(0, BATCH + 3), broken])

    rows, _ = fp32.classify(last_are_broken)

    assert rows["category_id"].is_valid().to_pylist() == [True] * (BATCH + 3) + [False] * 5


def test_a_receipt_counts_what_the_rows_hold(fp32: UnitClassifier, items: pa.Table) -> None:
    rows, receipt = fp32.classify(items, 17)

    assert receipt.unit == 17
    assert receipt.items == rows.num_rows == receipt.labelled + sum(receipt.errors.values())
    assert receipt.errors == dict(Counter(rows["error"].drop_null().to_pylist()))
    assert receipt.decisions == dict(Counter(rows["decision"].to_pylist()))
    assert receipt.bytes_fetched == sum(len(data) for data in FILES.values())
    assert receipt.forward_s <= receipt.seconds


def test_receipts_of_units_add_up_to_the_receipt_of_the_whole(
    fp32: UnitClassifier, items: pa.Table
) -> None:
    _, whole = fp32.classify(items)
    starts = range(0, items.num_rows, 7)

    totals = add_up(fp32.classify(items.slice(start, 7), start)[1] for start in starts)

    assert totals.units == len(starts)
    for name in ("items", "labelled", "errors", "decisions", "bytes_fetched"):
        assert getattr(totals, name) == getattr(whole, name)
    assert totals.error_count == len(catalogs.BROKEN)
    assert totals.engines == (whole.engine,)


def test_both_precisions_agree_on_all_that_is_accepted(
    bf16: UnitClassifier, items: pa.Table, rows: pa.Table
) -> None:
    halved, receipt = bf16.classify(items)

    exact, rounded = (
        [
            (row["decision"], None if row["decision"] == "review" else row["category_id"])
            for row in table.select(["decision", "category_id"]).to_pylist()
        ]
        for table in (rows, halved)
    )
    assert {kind for kind, _ in exact} >= {"accept", "review", "error"}
    assert rounded == exact
    assert receipt.engine.endswith("bf16, close calls in fp32")


@pytest.mark.parametrize("runtime", ["torch", pytest.param("openvino", marks=pytest.mark.networks)])
def test_probabilities_of_an_image_are_the_bits_of_the_batch_it_stands_in(
    bundle: Bundle, runtime: Runtime
) -> None:
    networks = Networks(bundle, catalogs.LOCAL, device="cpu", runtime=runtime, threads=1)
    predictor = Predictor(bundle, networks, precision="bf16", batch=BATCH)
    pixels = [resize(decode(d, DecodeLimits()), catalogs.PREPROCESSING) for d in PICTURES.values()]
    pixels = pixels[:BATCH]
    together = predictor.predict(pixels).probabilities

    alone = np.concatenate([predictor.predict([each]).probabilities for each in pixels])

    assert alone.tobytes() == together.tobytes()
    np.testing.assert_allclose(together.sum(axis=1), 1, rtol=1e-5)


def test_items_are_prepared_in_their_order_with_the_pixels_that_training_sees(
    items: pa.Table,
) -> None:
    preparer = Preparer(catalogs.PREPROCESSING, ReadingConfig(threads=4), StorageConfig())
    stream = preparer.stream(items["uri"].to_pylist(), items["etag"].to_pylist())
    prepared = dict(zip(items["item_id"].to_pylist(), stream, strict=True))

    for name, data in PICTURES.items():
        expected = resize(decode(data, DecodeLimits()), catalogs.PREPROCESSING)
        pixels = prepared[name].pixels
        assert pixels is not None
        assert np.array_equal(pixels, expected)
        assert prepared[name].bytes_fetched == len(data)


@pytest.mark.parametrize(
    "config", [ReadingConfig(max_image_pixels=1000), ReadingConfig(max_image_bytes=100)]
)
def test_an_image_over_a_limit_of_the_run_file_is_too_large(
    config: ReadingConfig, tmp_path: Path
) -> None:
    path = tmp_path / "000.jpg"
    path.write_bytes(PICTURES["000.jpg"])

    prepared = Preparer(catalogs.PREPROCESSING, config, StorageConfig()).prepare(str(path), None)

    assert prepared.pixels is None
    assert prepared.error is not None
    assert prepared.error.reason == Reason.TOO_LARGE


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return catalogs.make_bundle(str(tmp_path_factory.mktemp("converted")), converted=True)


@pytest.mark.networks
def test_a_few_items_get_the_rows_that_they_get_among_many(
    converted: Bundle, items: pa.Table
) -> None:
    many, few = (classifier_of(converted, few=few).embed(items) for few in (False, True))
    for name in SAME_EVERYWHERE:
        assert few.rows[name].equals(many.rows[name]), name
    assert few.embeddings.equals(many.embeddings)


def test_where_torch_classifies_a_few_items_get_the_bits_of_many(
    items: pa.Table, tmp_path: Path
) -> None:
    bundle = catalogs.make_bundle(str(tmp_path), architecture="squeezenet1_1")
    torch.set_num_threads(2)  # as a process of two cores begins; its sums are rounded otherwise

    few, many = (classifier_of(bundle, few=few).classify(items)[0] for few in (True, False))

    assert labels(few).equals(labels(many))


def test_where_a_device_decodes_rows_are_the_same_and_the_receipt_says_so(
    bundle: Bundle, items: pa.Table, rows: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = DeviceDecoder(catalogs.PREPROCESSING, 1, on_gpu=False)
    monkeypatch.setattr(Networks, "open_jpeg_decoder", lambda _: device)

    found, receipt = classifier_of(bundle).classify(items)

    assert receipt.engine.endswith("fp32, jpeg on the device")
    apart = ["category_id", "category_path", "decision", "item_id", "error", "error_detail"]
    assert found.select(apart).equals(rows.select(apart))
    np.testing.assert_allclose(
        found["confidence"].drop_null(), rows["confidence"].drop_null(), atol=0.02
    )


@pytest.mark.processes
@pytest.mark.networks
def test_a_few_items_do_not_wait_for_torch(
    converted: Bundle, items: pa.Table, tmp_path: Path
) -> None:
    parquet.write_table(items, tmp_path / "items.parquet")
    program = (
        "import sys; from pyarrow import parquet; "
        "from lib.images.config import ReadingConfig; from lib.runs.run import Run; "
        "from lib.inference.classify_unit import UnitClassifier; "
        "from lib.inference.config import EngineConfig, UnitJob; "
        "from lib.storage.config import StorageConfig; from lib.storage.storage import Storage; "
        "run = Run('night', '', Storage(StorageConfig())); "
        "job = UnitJob(run=run, bundle_uri=sys.argv[1], engine=EngineConfig(), "
        "reading=ReadingConfig()); "
        "done = UnitClassifier(job, few=True).embed(parquet.read_table(sys.argv[2])); "
        "print(done.receipt.labelled, 'torch' in sys.modules)"
    )
    arguments = [sys.executable, "-c", program, converted.uri, str(tmp_path / "items.parquet")]

    said = subprocess.run(  # noqa: S603  # our own program
        arguments, cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert said.stdout == f"{len(PICTURES)} False\n", said.stderr

"""A unit of a bundle that uses names: each item by what it has, under that promise."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lib.images.config import ReadingConfig
from lib.inference.classify_unit import Classified, UnitClassifier
from lib.inference.config import UnitJob
from lib.inference.decide_unit import NEVER_BY_NAME, decide_unit
from lib.labels.decisions import NEVER
from lib.models.bundle import Bundle
from lib.names.labeller import labeller_of
from lib.reasons import ItemError, Reason
from lib.schemas import ITEM_SCHEMA, LABELS_SCHEMA
from tests.helpers import catalogs
from tests.helpers.named import LEAVES, make_named_bundle

PICTURES = catalogs.pictures(20)
FILES = {**PICTURES, **catalogs.BROKEN_FILES}
MISSING = [name for name in catalogs.BROKEN if name not in FILES]
STORES_OWN = {str(reason) for reason in NEVER_BY_NAME}
# from a title that is the category's own word to one that only brushes it, and to none
STRANGE = ["", "\U0001f457", "x" * 10_000, "\u202e\u05d7\u05d5\u05dc\u05e6\u05d4", "zzz \x00"]


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    folder = tmp_path_factory.mktemp("catalog")
    return catalogs.read_items(catalogs.write_catalog(str(folder), FILES, missing=MISSING))


def classify(
    bundle: Bundle, items: pa.Table, precision: str = "fp32", *, by_name: bool = True
) -> Classified:
    engine = catalogs.cpu_engine(8).model_copy(update={"precision": precision})
    run = catalogs.run_at("", run_id="run-1")
    job = UnitJob(
        run=run,
        bundle_uri=bundle.uri,
        engine=engine,
        reading=ReadingConfig(threads=4),
        by_name=by_name,
    )
    return UnitClassifier(job).embed(items)


def titled(items: pa.Table, names: list[str | None]) -> pa.Table:
    place = items.schema.get_field_index("name")
    return items.set_column(place, ITEM_SCHEMA.field("name"), pa.array(names, pa.string()))


def cycle(count: int) -> list[str | None]:
    return [f"a {LEAVES[n % len(LEAVES)]}" for n in range(count)]


def test_where_only_names_count_every_item_is_what_its_name_says(
    tmp_path: Path, items: pa.Table
) -> None:
    bundle = make_named_bundle(tmp_path / "b", (0.0, 1.0), both=0.0, alone=0.0)
    names = cycle(items.num_rows)

    done = classify(bundle, titled(items, names))

    rows = done.rows.to_pylist()
    assert done.rows.schema.equals(LABELS_SCHEMA)
    for row, name in zip(rows, names, strict=True):
        if row["error"] is None:
            assert f"a {row['category_id']}" == name
        else:
            assert row["error"] in STORES_OWN
    by_name = [row for row in rows if row["error"] is None and row["item_id"] in catalogs.BROKEN]
    assert {row["error_detail"].partition(":")[0] for row in by_name} == {
        str(reason) for reason, _ in catalogs.BROKEN.values()
    } - STORES_OWN
    assert done.embeddings.num_rows == len(PICTURES)
    assert done.receipt.labelled + sum(done.receipt.errors.values()) == items.num_rows
    assert done.receipt.labelled == len(PICTURES) + len(by_name)


def test_a_name_that_is_not_sure_leaves_the_error_that_it_is(
    tmp_path: Path, items: pa.Table
) -> None:
    bundle = make_named_bundle(tmp_path / "b", alone=NEVER)

    rows = classify(bundle, titled(items, cycle(items.num_rows))).rows.to_pylist()

    errors = {row["item_id"]: row["error"] for row in rows if row["error"]}
    assert errors == {name: str(reason) for name, (reason, _) in catalogs.BROKEN.items()}
    assert all(row["decision"] == "error" for row in rows if row["error"])


def test_where_embeddings_are_wanted_a_failed_image_is_an_error_whatever_its_name(
    tmp_path: Path, items: pa.Table
) -> None:
    bundle = make_named_bundle(tmp_path / "b", alone=0.0)

    done = classify(bundle, titled(items, cycle(items.num_rows)), by_name=False)

    assert done.receipt.labelled == done.embeddings.num_rows == len(PICTURES)


def test_items_without_a_name_are_what_a_bundle_without_names_makes_of_them(
    tmp_path: Path, items: pa.Table
) -> None:
    named = make_named_bundle(tmp_path / "named", both=0.0, alone=0.0)
    plain = catalogs.make_bundle(str(tmp_path / "plain"), architecture="squeezenet1_1")
    names = [None, *STRANGE[:2]] * items.num_rows

    ours = classify(named, titled(items, names[: items.num_rows])).rows
    theirs = classify(plain, items).rows

    said = ["item_id", "category_id", "confidence", "top_k", "decision", "error", "error_detail"]
    assert ours.select(said).equals(theirs.select(said))


@pytest.mark.parametrize("name", STRANGE)
def test_no_title_costs_more_than_its_own_row(tmp_path: Path, items: pa.Table, name: str) -> None:
    bundle = make_named_bundle(tmp_path / "b")

    rows = classify(bundle, titled(items, [name] * items.num_rows)).rows

    assert rows["item_id"].equals(items["item_id"])
    assert rows["name"].to_pylist() == [name] * items.num_rows
    for row in rows.to_pylist():
        assert (row["error"] is None) != (row["category_id"] is None)


def test_what_is_fused_is_the_weighted_product_of_both(tmp_path: Path, items: pa.Table) -> None:
    bundle = make_named_bundle(tmp_path / "b", (0.5, 0.7), both=0.0)
    pictures = items.filter(pa.array([i in PICTURES for i in items["item_id"].to_pylist()]))
    names = cycle(pictures.num_rows)
    image = catalogs.make_bundle(str(tmp_path / "plain"), architecture="squeezenet1_1")

    both = probabilities(classify(bundle, titled(pictures, names)).rows)

    alone = probabilities(classify(image, pictures).rows)
    reader = labeller_of(bundle, catalogs.LOCAL).read(names)
    assert reader
    product = alone**0.5 * reader.probabilities**0.7
    expected = product / product.sum(axis=1, keepdims=True)
    assert both == pytest.approx(expected, abs=1e-4)


def probabilities(rows: pa.Table) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """All probabilities, columns in the order of the leaves: there are no more than stand in."""
    found = np.zeros((rows.num_rows, len(LEAVES)))
    for at, top in enumerate(rows["top_k"].to_pylist()):
        for each in top:
            found[at, LEAVES.index(each["category_id"])] = each["probability"]
    return found


def test_labels_in_bf16_are_those_of_float32(tmp_path: Path, items: pa.Table) -> None:
    bundle = make_named_bundle(tmp_path / "b", (1.5, 0.5), both=0.0)
    named = titled(items, [*cycle(items.num_rows - 5), *STRANGE])

    exact, coarse = (classify(bundle, named, each).rows for each in ("fp32", "bf16"))

    assert coarse["category_id"].equals(exact["category_id"])


@pytest.mark.parametrize("reason", [*Reason])
def test_only_what_is_wrong_with_the_image_lets_a_name_decide(
    tmp_path: Path, reason: Reason
) -> None:
    labeller = labeller_of(make_named_bundle(tmp_path / "b", alone=0.0), catalogs.LOCAL)
    named = labeller.read([f"a {LEAVES[0]}"])
    nothing = np.empty((0, len(LEAVES)), np.float32)

    rows = decide_unit(labeller, named, [ItemError(reason, "why")], [], nothing).to_pylist()

    (row,) = rows
    by_name = reason not in NEVER_BY_NAME
    assert (row["category_id"] is not None) is by_name
    assert row["error"] == (None if by_name else str(reason))
    assert row["error_detail"] == (f"{reason}: why (labelled by its name)" if by_name else "why")

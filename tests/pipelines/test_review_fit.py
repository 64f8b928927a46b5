"""A head from people's answers: better where they correct the old one, and what it would change."""

import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lib.backfill.score_unit import scorer_of
from lib.batches import to_parquet
from lib.embeddings.store import Embeddings, EmbeddingStore, to_table
from lib.errors import InputError
from lib.evaluation.paired import Verdict
from lib.labels.annotations_table import AnnotationsTable
from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from lib.models.bundle import Bundle, read_bundle
from lib.models.int8 import Int8
from lib.runs import files
from lib.schemas import ANNOTATIONS_SCHEMA, ITEM_SCHEMA, LABELS_SCHEMA
from pipelines.review_fit import HeadToFit, fit_head
from pipelines.review_fit_record import HeadFit
from tests.helpers.catalogs import LOCAL, TAXONOMY, label_rows, make_bundle
from tests.helpers.jobs import ROOT, run_job, told_by

LEAVES, ITEMS, WIDTH = TAXONOMY.leaves, 300, 512
NOW = datetime(2026, 11, 27, tzinfo=UTC)


def leaf_of(number: int) -> str:
    return LEAVES[number % len(LEAVES)]


def draw() -> Embeddings:
    """Draw embeddings that tell the leaves apart, which the untrained bundle's head cannot."""
    random = np.random.default_rng(0)
    centres = random.random((len(LEAVES), WIDTH))
    places = centres[np.arange(ITEMS) % len(LEAVES)]
    return (places + 0.5 * random.random((ITEMS, WIDTH))).astype(np.float16)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A classified catalog: item `n` belongs to leaf `n % 5`, and the last has no embedding."""
    bundle = make_bundle(str(tmp_path / "night" / "bundle"))
    rows = label_rows([f"{n:03d}" for n in range(ITEMS)])
    store = EmbeddingStore(str(tmp_path / "embeddings"), bundle.backbone_digest, LOCAL)
    kept = rows.slice(0, ITEMS - 1)
    vectors = draw()
    store.append("night", [to_table(kept["uri"], kept["etag"], vectors[:-1])])
    decided = scorer_of(bundle, LOCAL).score(vectors)
    for name in decided.column_names:
        field = LABELS_SCHEMA.field(name)
        rows = rows.set_column(
            LABELS_SCHEMA.get_field_index(name), field, decided[name].cast(field.type)
        )
    part = str(tmp_path / "part.parquet")
    LOCAL.write(part, to_parquet(rows))
    made = bundle.made.model_copy(update={"run_id": "night"})
    change = Change(run_id="night", base=None, parts=[part], removed=None, made=made)
    LabelsTable(str(tmp_path / "labels"), LOCAL).publish(change)
    return tmp_path


def answer(shop: Path, numbers: range, **values: object) -> None:
    """Let a person say of items what they are."""
    rows: list[dict[str, Any]] = [
        {
            "annotation_id": f"{n}",
            "item_id": f"{n:03d}",
            "uri": f"s3://shop/{n:03d}",
            "etag": "1",
            "answer": "category",
            "category_id": leaf_of(n),
            "taxonomy_version": TAXONOMY.version,
            "by": "ann",
            "at": NOW,
            "why": "queue",
            **values,
        }
        for n in numbers
    ]
    table = AnnotationsTable(str(shop / "labels-annotations"), LOCAL)
    table.append(pa.Table.from_pylist(rows, schema=ANNOTATIONS_SCHEMA))


def fit(shop: Path, folder: str = "fit", **values: Any) -> tuple[HeadFit, list[str]]:  # noqa: ANN401  # of any field
    said: list[str] = []
    wanted = HeadToFit(
        folder=str(shop / folder),
        labels_table=str(shop / "labels"),
        embeddings=str(shop / "embeddings"),
        **values,
    )
    return fit_head(wanted, LOCAL, said.append), said


def right(bundle: Bundle) -> float:
    """Return how often a bundle is right about all items."""
    scored = scorer_of(bundle, LOCAL).score(draw())
    best = [each[0]["category_id"] for each in scored["top_k"].to_pylist()]
    return float(sum(leaf == leaf_of(n) for n, leaf in enumerate(best)) / ITEMS)


def test_answers_make_a_head_that_is_better_on_items_it_has_not_seen(shop: Path) -> None:
    answer(shop, range(60))

    found, said = fit(shop)

    assert found.comparison is not None
    assert found.comparison.items == 60
    assert found.comparison.verdict == Verdict.BETTER
    assert found.before.value < 0.6
    assert found.after.value > 0.9
    assert "60 answers used: 0 of labelled items, 60 of others" in said
    old = read_bundle(str(shop / "night" / "bundle"), LOCAL)
    assert right(old) < 0.6
    assert right(found.bundle) > 0.9
    assert found.bundle.backbone_digest == old.backbone_digest
    assert found.bundle.info.metrics["validation_items"] == 60


def test_what_would_change_is_what_the_new_head_says_of_the_table(shop: Path) -> None:
    answer(shop, range(60))

    found, _ = fit(shop)

    rows = LabelsTable(str(shop / "labels"), LOCAL).read().sort_by("item_id").to_pylist()
    decided = scorer_of(found.bundle, LOCAL).score(draw()).to_pylist()
    moves: Counter[tuple[str, str]] = Counter()
    after: Counter[str] = Counter()
    for number, (row, new) in enumerate(zip(rows, decided, strict=True)):
        answered, kept = number < 60, number == ITEMS - 1
        after["person" if answered else row["decision"] if kept else new["decision"]] += 1
        if not answered and not kept and row["category_id"] != new["category_id"]:
            moves[row["category_id"], new["category_id"]] += 1
    assert {(was, becomes): n for was, becomes, n in found.changes.moved} == moves
    assert found.changes.after == after
    assert found.changes.before["person"] == 60
    assert (found.changes.rows, found.changes.without_embedding) == (ITEMS, 1)
    assert found.changes.count > ITEMS / 4


def test_the_labels_of_the_training_are_learned_from_too_and_a_second_fit_builds_on_the_first(
    shop: Path,
) -> None:
    rows = [{"item_id": f"{n:03d}", "uri": f"s3://shop/{n:03d}", "etag": "1",
             "category_id": leaf_of(n)} for n in range(100, 150)]  # fmt: skip
    items = pa.Table.from_pylist(rows, schema=ITEM_SCHEMA)
    LOCAL.write(str(shop / "night" / files.TRAIN_ITEMS), to_parquet(items))
    answer(shop, range(20))

    first, _ = fit(shop)
    answer(shop, range(20, 40))
    second, said = fit(shop, "again", bundle=first.bundle.uri)

    # of the training's items nobody knows what the old head said before it had seen them
    assert (first.items, first.comparison and first.comparison.items) == (70, 20)
    assert (second.items, second.comparison and second.comparison.items) == (90, 90)
    assert "40 answers used: 20 of labelled items, 20 of others" in said


@pytest.mark.parametrize(("noise", "kept"), [(0.0, True), (3.0, False)])
def test_int8_is_kept_where_the_labels_of_kept_embeddings_are(
    shop: Path, noise: float, *, kept: bool
) -> None:
    uri = str(shop / "night" / "bundle")
    old = read_bundle(uri, LOCAL)
    before = Int8(moved=0.4, close=0.1, agreement=1, accuracy=1, reference_accuracy=1, items=100)
    described = old.info.model_copy(update={"int8": before})
    LOCAL.write(f"{uri}/bundle.json", described.to_json())
    rows = label_rows([f"{n:03d}" for n in range(ITEMS)]).slice(0, 150)
    coarse = draw()[:150] + noise * np.random.default_rng(1).normal(size=(150, WIDTH))
    store = EmbeddingStore(str(shop / "embeddings"), f"{old.backbone_digest}-int8", LOCAL)
    store.append("train", [to_table(rows["uri"], rows["etag"], coarse.astype(np.float16))])
    answer(shop, range(150))

    found, _ = fit(shop, bundle=uri)

    assert (found.bundle.info.int8 is not None) == kept
    assert found.bundle.info.int8 is None or found.bundle.info.int8.items == 150


def test_rejected_items_and_items_without_an_embedding_are_left_out_and_said(shop: Path) -> None:
    answer(shop, range(50))
    answer(shop, range(50, 53), answer="rejected", category_id=None)
    answer(shop, range(ITEMS - 1, ITEMS))

    found, said = fit(shop)

    assert (found.items, found.without_embedding) == (50, 1)
    assert "51 answers used: 0 of labelled items, 51 of others; 3 rejected items left out" in said
    assert "1 labelled item left out: no embedding" in said


def test_a_category_without_labels_is_named(shop: Path) -> None:
    answer(shop, range(0, 60, len(LEAVES)))

    with pytest.raises(InputError, match="no photo to train on can be used of these categories"):
        fit(shop)
    assert not (shop / "fit").exists()


def test_a_bundle_that_is_there_is_not_replaced(shop: Path) -> None:
    answer(shop, range(60))
    fit(shop)

    with pytest.raises(InputError, match="there is a bundle in this folder; give another"):
        fit(shop)


def test_the_command_says_the_same(shop: Path) -> None:
    answer(shop, range(60))

    places = ["--labels-table", str(shop / "labels"), "--embeddings", str(shop / "embeddings")]
    result = run_job("review", "fit", str(shop / "new"), *places, "--json")

    assert result.exit_code == 0, result.output
    told = told_by(result.stdout)
    assert (told["state"], told["answers"], told["items"]) == ("fitted", 60, 60)
    assert told["after"] > told["before"]
    assert told["changes"]["changed"] == sum(each["rows"] for each in told["changes"]["moved"])
    assert "the new head is better than the old head by" in result.stdout


@pytest.mark.processes
def test_ray_is_not_even_loaded() -> None:
    program = "import pipelines.review_fit, sys; print('ray' in sys.modules)"

    said = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert said.stdout.strip() == "False", said.stderr

"""People's answers as the examples of a new taxonomy: what stands there, of the table's images."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from lib.backfill.labelled_items import Labelled
from lib.batches import to_parquet
from lib.catalog.left_out import LeftOut
from lib.labels.annotations_table import AnnotationsTable
from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from lib.labels.history import Made
from lib.schemas import ANNOTATIONS_SCHEMA
from lib.taxonomy.migration import migrate
from lib.taxonomy.taxonomy import parse_taxonomy
from pipelines.backfill_labelled import LabelledConfig, read_labelled
from tests.helpers.catalogs import LOCAL, TAXONOMY, label_rows

SPLIT = parse_taxonomy(
    "version: '8'\nreplaces: {version: '7', split: {shirt: [blouse, polo]}, renamed: {shoes: feet}}"
    "\ncategories: [{id: blouse}, {id: polo}, {id: knitwear}, {id: trousers}, {id: skirt}, "
    "{id: feet}]\n",
    "new.yaml",
)


def annotation(item_id: str, category: str | None, version: str, **values: object) -> Any:  # noqa: ANN401  # JSON
    return {
        "annotation_id": f"{item_id} {category} {version}",
        "item_id": item_id,
        "uri": f"s3://shop/{item_id}",
        "etag": "1",
        "answer": "category" if category else "rejected",
        "category_id": category,
        "taxonomy_version": version,
        "by": "ann",
        "at": datetime(2026, 11, 27, tzinfo=UTC),
        **values,
    }


def read(folder: Path, *annotations: Any) -> Labelled:  # noqa: ANN401  # JSON
    part = str(folder / "part.parquet")
    LOCAL.write(part, to_parquet(label_rows([f"{n}" for n in range(12)])))
    table = LabelsTable(str(folder / "labels"), LOCAL)
    table.publish(Change(run_id="r", base=None, parts=[part], removed=None, made=Made(run_id="r")))
    place = str(folder / "answers")
    rows = pa.Table.from_pylist(list(annotations), schema=ANNOTATIONS_SCHEMA)
    AnnotationsTable(place, LOCAL).append(rows)
    config = LabelledConfig(examples=place)
    return read_labelled(config, table, migrate([TAXONOMY, SPLIT]), LOCAL, LeftOut())


def labels(found: Labelled) -> dict[str, str]:
    both = pa.concat_tables([found.train, found.held_out]).to_pylist()
    return {row["item_id"]: row["category_id"] for row in both}


def test_answers_in_the_new_taxonomy_and_mapped_ones_are_examples(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        *(annotation(f"{n}", "polo" if n % 2 else "blouse", "8") for n in range(6)),
        annotation("6", "shoes", "7"),
        annotation("7", "skirt", "7"),
    )

    assert labels(found) == {
        **{f"{n}": "polo" if n % 2 else "blouse" for n in range(6)},
        "6": "feet",
        "7": "skirt",
    }
    assert found.answers == 8
    assert found.held_out.num_rows > 0


def test_what_is_split_rejected_gone_or_of_another_image_is_no_example(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        annotation("0", "polo", "8"),
        annotation("1", "polo", "8"),
        annotation("2", "shirt", "7"),
        annotation("3", None, "8"),
        annotation("gone", "polo", "8"),
        annotation("4", "polo", "8", etag="before"),
    )

    assert labels(found) == {"0": "polo", "1": "polo"}
    assert found.answers == 2

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lib.cluster.workers_config import WorkersConfig
from lib.embeddings.store import EmbeddingStore, to_table
from lib.errors import InputError
from lib.images.config import ReadingConfig
from lib.schemas import ITEM_SCHEMA
from lib.training.backbone import BackboneJob
from pipelines.train_embed import Backbone, embed_labelled, file_name
from pipelines.train_labelled import Labelled
from pipelines.train_workers import Workers
from tests.helpers.catalogs import LOCAL, PREPROCESSING

LEAVES = ("hat", "boot")


def label(**labels: str) -> pa.Table:
    """Return items; those whose ids begin with the same letter have the same photo."""
    rows = [
        {"item_id": item_id, "uri": f"{item_id}.png", "etag": item_id, "category_id": category_id}
        for item_id, category_id in labels.items()
    ]
    return pa.Table.from_pylist(rows, schema=ITEM_SCHEMA)


def embed(folder: Path, train: pa.Table, held_out: pa.Table | None = None) -> Labelled:
    """Embed labelled items of which all embeddings are kept, so that no worker is needed."""
    held_out = train.slice(0, 0) if held_out is None else held_out
    items = pa.concat_tables([train, held_out])
    photos = [ord(item_id[0]) for item_id in items["item_id"].to_pylist()]
    vectors = np.array([[photo, 1] for photo in photos], np.float16)
    store = EmbeddingStore(str(folder), "digest", LOCAL)
    store.append("before", [to_table(items["uri"], items["etag"], vectors)])
    job = BackboneJob(
        storage=LOCAL,
        state_uri="not-read",
        kept_uri="not-read",
        architecture="resnet18",
        categories=2,
        preprocessing=PREPROCESSING,
        reading=ReadingConfig(),
    )
    backbone = Backbone(
        job=job,
        digest="digest",
        folder=str(folder),
        workers=Workers(WorkersConfig()),
        say=lambda _: None,
    )
    return embed_labelled(backbone, train, held_out, LEAVES)


def test_each_item_has_its_embedding_its_target_and_its_side(tmp_path: Path) -> None:
    found = embed(tmp_path, label(d="boot", a="hat", b="hat"), label(c="boot"))

    assert found.items["item_id"].to_pylist() == ["d", "a", "b", "c"]
    assert [chr(int(value)) for value in found.vectors[:, 0]] == ["d", "a", "b", "c"]
    assert found.targets.tolist() == [1, 0, 0, 1]
    assert (found.train, found.held_out, found.unusable) == (slice(0, 3), 1, [])


def test_a_photo_under_two_labels_is_left_out_and_named(tmp_path: Path) -> None:
    found = embed(tmp_path, label(a1="hat", a2="boot", b="hat", c="hat", d="boot"))

    assert found.items["item_id"].to_pylist() == ["b", "c", "d"]
    assert [(each.item_id, each.code) for each in found.unusable] == [
        ("a1", "two_labels"),
        ("a2", "two_labels"),
    ]
    said = "the same photo is labelled 'boot' and 'hat'"
    assert {each.detail for each in found.unusable} == {said}


def test_a_photo_under_one_label_on_one_side_and_another_on_the_other_is_left_out(
    tmp_path: Path,
) -> None:
    found = embed(tmp_path, label(a1="hat", b="hat", c="hat", d="boot"), label(a2="boot", e="hat"))

    assert found.items["item_id"].to_pylist() == ["b", "c", "d", "e"]
    assert found.held_out == 1


def test_copies_of_a_photo_have_one_name(tmp_path: Path) -> None:
    found = embed(tmp_path, label(a1="hat", b="boot", a2="hat", c="hat"))

    assert found.photos[0] == found.photos[2]
    assert len(set(found.photos)) == 3
    assert found.unusable == []


def test_a_held_out_photo_that_was_trained_on_judges_nothing(tmp_path: Path) -> None:
    found = embed(tmp_path, label(a1="hat", b="boot", d="hat"), label(a2="hat", c="boot"))

    assert found.items["item_id"].to_pylist() == ["a1", "b", "d", "c"]
    ((code, detail),) = [(each.code, each.detail) for each in found.unusable]
    assert (code, detail) == ("copy", "it is the photo of item 'a1'")


def test_a_category_of_which_no_photo_can_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can be used of these categories: 'boot'; label") as error:
        embed(tmp_path, label(a1="hat", a2="boot", b="hat"))
    assert str(error.value).endswith("labelled photos that cannot be used: 2 two_labels")


def test_where_no_held_out_photo_can_be_used_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no held-out photo can be used"):
        embed(tmp_path, label(a1="hat", b="boot", c="hat"), label(a2="hat"))


@pytest.mark.parametrize(
    "labels", [{"a": "hat", "b": "boot"}, {"a1": "hat", "a2": "hat", "b": "boot"}]
)
def test_where_no_category_has_two_photos_that_is_said(
    tmp_path: Path, labels: dict[str, str]
) -> None:
    with pytest.raises(InputError, match="no category has two photos to train on"):
        embed(tmp_path, label(**labels))


def test_other_items_are_written_to_another_file_of_the_store() -> None:
    assert file_name(label(a="hat")) == file_name(label(a="boot"))
    assert file_name(label(a="hat")) != file_name(label(b="hat"))

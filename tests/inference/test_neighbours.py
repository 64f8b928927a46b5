from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lib.embeddings.cosine import cosine
from lib.embeddings.store import EmbeddingStore, to_table
from lib.errors import InputError
from lib.inference.neighbours import LabelledItems
from lib.search.build import index_store
from tests.helpers.catalogs import LOCAL, label_rows, make_bundle
from tests.helpers.searched import publish, vectors

COUNT = 60
VECTORS = vectors(COUNT, 3)


def shelf(folder: Path, images: Sequence[int], decisions: Sequence[str] = ()) -> LabelledItems:
    """Label an item of each of some images, after the embeddings of all are kept, in three files.

    Args:
        folder: a new one.
        images: their numbers.
        decisions: of the first items.
    """
    bundle = make_bundle(str(folder / "bundle"))
    store = EmbeddingStore(str(folder / "kept"), bundle.backbone_digest, LOCAL)
    for run, some in enumerate(np.array_split(np.random.default_rng(1).permutation(COUNT), 3)):
        keys = label_rows([f"{number}.png" for number in some])
        store.append(f"run-{run}", [to_table(keys["uri"], keys["etag"], VECTORS[some])])
    index_store(store.uri, LOCAL, only={"run-0.00000.parquet"})  # of the others there is none
    rows = label_rows([f"{number}.png" for number in images])
    rows = rows.set_column(0, rows.schema.field("item_id"), [[f"{n}" for n in range(len(images))]])
    place = rows.schema.get_field_index("decision")
    decided = [*decisions, *["accept"] * (len(images) - len(decisions))]
    publish(folder, rows.set_column(place, rows.schema.field(place), [decided]), bundle.made)
    return LabelledItems.open(str(folder / "labels"), str(folder / "kept"), bundle, LOCAL)


def test_the_nearest_are_those_of_the_largest_cosines_whatever_file_they_are_in(
    tmp_path: Path,
) -> None:
    found = shelf(tmp_path, range(COUNT)).nearest(VECTORS[:5] * np.float16(2), 7)

    for vector, near in zip(VECTORS[:5], found, strict=True):
        cosines = cosine(VECTORS, vector)
        best = np.argsort(-cosines)[:7]
        assert [each.item_id for each in near] == [f"{row}" for row in best]
        assert [each.similarity for each in near] == pytest.approx(cosines[best], abs=1e-6)


def test_only_labelled_items_are_found_and_all_of_one_image(tmp_path: Path) -> None:
    (found,) = shelf(tmp_path, [9, 4, 7, 4]).nearest(VECTORS[4:5], 3)

    assert {each.item_id for each in found[:2]} == {"1", "3"}
    assert found[0].similarity == found[1].similarity == pytest.approx(1, abs=1e-3)
    assert found[2].item_id in {"0", "2"}


def test_fewer_items_than_are_asked_for_are_all_found(tmp_path: Path) -> None:
    found = shelf(tmp_path, [11, 12]).nearest(VECTORS[:2], 5)

    assert [sorted(each.item_id for each in near) for near in found] == [["0", "1"]] * 2


def test_what_is_for_review_or_an_error_is_not_found(tmp_path: Path) -> None:
    (found,) = shelf(tmp_path, [1, 2, 3], ["review", "error"]).nearest(VECTORS[1:2], 5)

    assert [each.item_id for each in found] == ["2"]


def test_where_all_is_for_review_one_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has a label that is not for review"):
        shelf(tmp_path, [1], ["review"])

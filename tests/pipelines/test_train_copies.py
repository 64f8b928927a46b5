import numpy as np
import pyarrow as pa

from lib.embeddings.store import Embeddings
from lib.schemas import ITEM_SCHEMA
from pipelines.train_copies import find_copies_of

COUNT, WIDTH = 40, 64


def photos(**copies: Embeddings) -> tuple[pa.Table, Embeddings]:
    """Return items 00 to 39 and their embeddings; some, by `i` and their number, are given."""
    vectors = np.random.default_rng(4).normal(size=(COUNT, WIDTH)).astype(np.float16)
    for name, vector in copies.items():
        vectors[int(name[1:])] = vector
    rows = [{"item_id": f"{n:02d}", "uri": f"{n}.png", "category_id": "hat"} for n in range(COUNT)]
    return pa.Table.from_pylist(rows, schema=ITEM_SCHEMA), vectors


def nearly(vector: Embeddings) -> Embeddings:
    noise = np.random.default_rng(9).normal(size=WIDTH) * 0.1
    return (vector + noise).astype(np.float16)


def test_a_held_out_photo_that_is_nearly_one_to_train_on_is_left_out() -> None:
    _, vectors = photos()
    items, vectors = photos(i38=nearly(vectors[3]))

    found = find_copies_of(items, vectors, {"38", "39"})

    assert {key: each.detail for key, each in found.unusable.items()} == {
        "38": "it is nearly the photo of item '03'"
    }
    assert found.sentence.startswith("1 pair of photos is nearly one: none is held out")


def test_photos_to_train_on_that_are_nearly_one_are_held_out_together() -> None:
    _, vectors = photos()
    items, vectors = photos(i20=nearly(vectors[7]), i21=vectors[8])

    found = find_copies_of(items, vectors, {"39"})

    assert found.unusable == {}
    assert (found.photos[20], found.photos[21]) == ("07", "08")
    assert len(set(found.photos)) == COUNT - 2


def test_where_all_photos_are_alike_none_counts_as_nearly_another() -> None:
    items, _ = photos()
    alike = np.random.default_rng(1).normal(1, 0.01, (COUNT, WIDTH)).astype(np.float16)

    found = find_copies_of(items, alike, {"39"})

    assert len(set(found.photos)) == COUNT
    assert (found.unusable, found.sentence) == ({}, "")

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from lib.embeddings.cosine import cosine
from lib.embeddings.index import FILE_ROWS
from lib.embeddings.store import Embeddings, EmbeddingStore, to_table
from lib.errors import InputError
from lib.search import segments
from lib.search.build import Indexed, index_store
from lib.search.local_copies import local_copy
from lib.search.nearest import Nearest, open_nearest
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage

if TYPE_CHECKING:
    from tests.conftest import Bucket

STORAGE = Storage(StorageConfig())
WIDTH = 32


def vectors(count: int, seed: int) -> Embeddings:
    return np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float16)


def append(store: EmbeddingStore, name: str, count: int, seed: int) -> Embeddings:
    """Append embeddings under uris that say where they are of; return them."""
    found = vectors(count, seed)
    uris = pa.chunked_array([[f"{name}-{n:05d}.png" for n in range(count)]])
    etags = pa.chunked_array([pa.nulls(count, pa.string())])
    store.append(name, [to_table(uris, etags, found)])
    return found


@pytest.fixture
def store(disk_or_s3: str) -> EmbeddingStore:
    return EmbeddingStore(disk_or_s3, "digest", STORAGE)


@pytest.fixture
def local(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(str(tmp_path), "digest", STORAGE)


def uris_of(nearest: Nearest) -> dict[int, str]:
    batches = pa.Table.from_batches(nearest.read_places())
    return dict(zip(batches["place"].to_pylist(), batches["uri"].to_pylist(), strict=True))


def found(nearest: Nearest, vector: Embeddings, count: int = 10) -> list[str]:
    places, scores = nearest.search(vector, count)
    assert (np.diff(scores) <= 0).all()
    names = uris_of(nearest)
    return [names[place] for place in places.tolist()]


def objects(store: EmbeddingStore, suffix: str) -> set[str]:
    return {name for name in STORAGE.names(store.uri) if name.endswith(suffix)}


def test_a_search_finds_what_exact_products_find(store: EmbeddingStore, tmp_path: Path) -> None:
    kept = {name: append(store, name, 400, seed) for seed, name in enumerate(["a", "b", "c"])}
    index_store(store.uri, STORAGE)
    nearest = open_nearest(store.uri, STORAGE, tmp_path / "copies")

    query = vectors(1, 77)[0]
    best = sorted(
        (-score, f"{name}-{n:05d}.png")
        for name, matrix in kept.items()
        for n, score in enumerate(cosine(matrix, query).tolist())
    )
    assert nearest.without_index == 0
    assert found(nearest, query) == [uri for _, uri in best[:10]]


def test_without_an_index_the_answer_is_the_same(local: EmbeddingStore) -> None:
    append(local, "a", 300, 1)
    append(local, "b", 300, 2)
    query = vectors(1, 3)[0]
    before = open_nearest(local.uri, STORAGE)
    answer = found(before, query)

    index_store(local.uri, STORAGE)

    assert before.without_index == 2
    assert found(open_nearest(local.uri, STORAGE), query) == answer


def test_an_append_indexes_what_is_new_alone(
    local: EmbeddingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "FULL_ROWS", 500)
    append(local, "a", 600, 1)
    assert index_store(local.uri, STORAGE) == Indexed(rows=600, segments=1)
    before = objects(local, ".usearch")

    append(local, "b", 50, 2)

    assert index_store(local.uri, STORAGE) == Indexed(rows=50, segments=1)
    assert before < objects(local, ".usearch")
    assert index_store(local.uri, STORAGE) == Indexed(rows=0, segments=0)


def test_many_small_files_share_few_indexes(local: EmbeddingStore) -> None:
    query, answers = vectors(1, 99)[0], []
    for night in range(20):
        append(local, f"night-{night:03d}", 30, night)
        index_store(local.uri, STORAGE, only={f"night-{night:03d}.00000.parquet"})
        answers.append(found(open_nearest(local.uri, STORAGE), query, 1)[0])

    assert len(objects(local, ".usearch")) <= 5
    assert len(objects(local, ".json")) == len(objects(local, ".usearch"))
    assert found(open_nearest(local.uri, STORAGE), query, 1)[0] == answers[-1]


def test_allowed_places_alone_are_found(
    local: EmbeddingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = append(local, "a", 900, 1)
    index_store(local.uri, STORAGE)
    nearest = open_nearest(local.uri, STORAGE)
    query = vectors(1, 3)[0]
    allowed = np.arange(0, 900, 7)
    expected = allowed[np.argsort(-cosine(kept[allowed], query))][:10].tolist()

    for few in (5_000, 10):
        monkeypatch.setattr("lib.search.nearest.FEW", few)
        places, _ = nearest.search(query, 10, allowed)
        assert places.tolist() == expected


@pytest.mark.parametrize(("few", "most"), [(5_000, 4_096), (10, 4_096), (10, 64)])
@pytest.mark.parametrize("step", [None, 7, 400])
def test_many_vectors_asked_at_once_find_what_each_finds_alone(
    local: EmbeddingStore, monkeypatch: pytest.MonkeyPatch, few: int, most: int, step: int | None
) -> None:
    monkeypatch.setattr("lib.search.nearest.FEW", few)
    monkeypatch.setattr("lib.search.nearest.MOST_CANDIDATES", most)
    append(local, "a", 9_000, 1)  # more than a group of rows
    append(local, "b", 300, 2)
    index_store(local.uri, STORAGE, only={"b.00000.parquet"})
    nearest = open_nearest(local.uri, STORAGE)
    allowed = None if step is None else np.sort(np.array([*uris_of(nearest)]))[::step]
    queries = vectors(6, 3)

    together = nearest.search_all(queries, 10, allowed)

    assert nearest.without_index == 1
    for query, (places, scores) in zip(queries, together, strict=True):
        alone = nearest.search(query, 10, allowed)
        assert len(places) == 10
        assert places.tolist() == alone[0].tolist()
        assert scores == pytest.approx(alone[1], abs=1e-6)


@pytest.mark.parametrize("suffix", [".usearch", ".json"])
def test_a_damaged_index_is_not_asked_and_is_made_again(local: EmbeddingStore, suffix: str) -> None:
    append(local, "a", 300, 1)
    query = vectors(1, 3)[0]
    index_store(local.uri, STORAGE)
    answer = found(open_nearest(local.uri, STORAGE), query)
    (name,) = objects(local, suffix)
    place = f"{local.uri}/{name}"
    data = bytearray(STORAGE.read(place))
    data[len(data) // 2] ^= 0xFF
    STORAGE.write(place, bytes(data))

    nearest = open_nearest(local.uri, STORAGE)
    assert nearest.without_index == 1
    assert found(nearest, query) == answer
    index_store(local.uri, STORAGE, check=True)
    assert open_nearest(local.uri, STORAGE).without_index == 0


def test_an_index_of_another_file_is_not_asked(local: EmbeddingStore, tmp_path: Path) -> None:
    append(local, "a", 300, 1)
    index_store(local.uri, STORAGE)
    other = EmbeddingStore(str(tmp_path), "other", STORAGE)
    append(other, "a", 300, 2)
    for name in objects(local, ".usearch") | objects(local, ".json"):
        STORAGE.write(f"{other.uri}/{name}", STORAGE.read(f"{local.uri}/{name}"))

    assert open_nearest(other.uri, STORAGE).without_index == 1


def test_copies_that_were_used_longest_ago_make_room(s3: "Bucket", tmp_path: Path) -> None:
    store = EmbeddingStore(s3.uri, "digest", STORAGE)
    paths = []
    for seed in range(2):
        append(store, f"run-{seed}", 40, seed)
        index_store(store.uri, STORAGE)
        versions = STORAGE.versions(store.uri)
        segment = segments.disjoint(segments.read_segments(store.uri, versions, STORAGE))[0]
        uri = f"{store.uri}/{segment.segment_id}.usearch"
        paths.append(local_copy(uri, segment.digest, STORAGE, tmp_path / "copies", most_bytes=1))

    assert paths[1]
    assert [*(tmp_path / "copies").iterdir()] == [paths[1]]


def test_a_query_of_another_length_is_refused(local: EmbeddingStore) -> None:
    append(local, "a", 3, 1)

    with pytest.raises(InputError, match="made by another backbone"):
        open_nearest(local.uri, STORAGE).search(np.ones(WIDTH + 1, np.float16), 3)


def test_a_store_without_embeddings_is_refused(local: EmbeddingStore) -> None:
    with pytest.raises(InputError, match="there are no embeddings here"):
        open_nearest(local.uri, STORAGE)


def test_embeddings_without_length_or_number_are_like_nothing(local: EmbeddingStore) -> None:
    odd = np.array([[0] * WIDTH, [np.inf] * WIDTH, [1] * WIDTH], np.float16)
    uris = pa.chunked_array([["nought", "endless", "one"]])
    local.append("a", [to_table(uris, pa.chunked_array([pa.nulls(3, pa.string())]), odd)])
    for _ in range(2):
        nearest = open_nearest(local.uri, STORAGE)
        places, scores = nearest.search(np.ones(WIDTH, np.float16), 3)
        assert uris_of(nearest)[places[0]] == "one"
        assert scores.round(3).tolist() == [1, -1, -1]
        index_store(local.uri, STORAGE)


def test_places_count_files_and_rows(local: EmbeddingStore) -> None:
    append(local, "a", 2, 1)
    append(local, "b", 2, 2)

    assert [*uris_of(open_nearest(local.uri, STORAGE))] == [0, 1, FILE_ROWS, FILE_ROWS + 1]


def test_a_file_that_is_removed_while_a_store_is_opened_is_named(local: EmbeddingStore) -> None:
    append(local, "a", 20, 1)
    nearest = open_nearest(local.uri, STORAGE)
    STORAGE.delete(f"{local.uri}/a.00000.parquet")

    with pytest.raises(InputError, match=r"a\.00000\.parquet"):
        [*nearest.read_places()]


def test_an_append_under_a_search_changes_nothing_for_it(local: EmbeddingStore) -> None:
    append(local, "a", 300, 1)
    append(local, "b", 300, 2)
    index_store(local.uri, STORAGE)
    nearest = open_nearest(local.uri, STORAGE)
    query = vectors(1, 3)[0]
    before = found(nearest, query)

    append(local, "c", 700, 3)
    index_store(local.uri, STORAGE)  # merges what is open in the search

    assert found(nearest, query) == before
    assert found(open_nearest(local.uri, STORAGE), query)[0] == "c-00000.png"

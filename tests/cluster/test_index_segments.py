from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from lib.cluster.connection import connected
from lib.cluster.index_segments import make_indexes_on_ray
from lib.errors import InputError
from lib.search import segments
from lib.search.build import Indexed, index_store
from lib.search.nearest import open_nearest
from tests.helpers.catalogs import LOCAL
from tests.helpers.searched import append, vectors

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module", autouse=True)
def _ray() -> Iterator[None]:
    with connected():
        yield


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store of three large files and two small ones."""
    monkeypatch.setattr(segments, "FULL_ROWS", 200)
    for seed, count in enumerate([300, 300, 300, 20, 20]):
        append(tmp_path, "store", f"run-{seed}", count, seed)
    return str(tmp_path / "store")


def test_workers_make_what_one_process_makes(uri: str) -> None:
    def answer() -> list[list[float]]:
        nearest = open_nearest(uri, LOCAL)
        found = [nearest.search(query, 10) for query in vectors(5, 99)]
        return [[*places.tolist(), *scores.tolist()] for places, scores in found]

    counts: list[int] = []

    assert index_store(uri, LOCAL) == Indexed(rows=940, segments=4)
    here, made = answer(), set(LOCAL.names(uri))
    for name in made:
        if not name.endswith(".parquet"):
            LOCAL.delete(f"{uri}/{name}")
    make = partial(make_indexes_on_ray, count=counts.append)
    assert index_store(uri, LOCAL, make=make) == Indexed(rows=940, segments=4)

    assert sorted(counts) == [40, 300, 300, 300]
    assert set(LOCAL.names(uri)) == made
    assert open_nearest(uri, LOCAL).without_index == 0
    assert answer() == here


def test_a_damaged_file_is_named(uri: str) -> None:
    path = Path(uri) / "run-1.00000.parquet"
    data = bytearray(path.read_bytes())
    middle = len(data) // 2  # an embedding
    data[middle : middle + 100] = bytes(100)
    path.write_bytes(bytes(data))

    with pytest.raises(InputError, match=f"^{path}: "):
        index_store(uri, LOCAL, make=make_indexes_on_ray)


def test_nothing_to_do_asks_nobody(uri: str) -> None:
    index_store(uri, LOCAL)

    assert index_store(uri, LOCAL, make=make_indexes_on_ray) == Indexed(rows=0, segments=0)

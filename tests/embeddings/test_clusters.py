import numpy as np

from lib.embeddings.clusters import find_clusters

EACH, WIDTH = 30, 24


def drawn(groups: int) -> np.ndarray:
    """Return points around as many centres, those of one group after the other."""
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(groups, WIDTH)) * 3
    points = np.repeat(centres, EACH, axis=0) + rng.normal(size=(groups * EACH, WIDTH)) * 0.5
    return points.astype(np.float16)


def test_as_many_groups_are_found_as_there_are() -> None:
    found = find_clusters(drawn(4))

    assert sorted(sorted(rows.tolist()) for rows in found.members) == [
        [*range(start, start + EACH)] for start in range(0, 4 * EACH, EACH)
    ]


def test_the_most_central_come_first() -> None:
    found = find_clusters(drawn(3), 3)

    for rows in found.members:
        assert np.all(np.diff(found.distances[rows]) >= 0)


def test_a_number_that_is_asked_for_is_found() -> None:
    assert len(find_clusters(drawn(3), 7).members) == 7


def test_few_images_are_one_group() -> None:
    assert [len(rows) for rows in find_clusters(drawn(1)[:4]).members] == [4]

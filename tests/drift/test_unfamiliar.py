import numpy as np

from lib.drift.unfamiliar import find_unfamiliar
from tests.helpers.samples import photos


def test_among_photos_like_those_seen_most_often_none_is_unfamiliar() -> None:
    found = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        ours, seen = photos(rng, 300), photos(rng, 600)
        found.append(len(find_unfamiliar(ours.astype(np.float16), seen.astype(np.float16))))

    assert sum(count > 0 for count in found) <= 6


def test_photos_like_none_of_those_seen_are_found_the_farthest_first() -> None:
    rng = np.random.default_rng(1)
    ours, seen = photos(rng, 300), photos(rng, 600)
    strange = range(7, 307 - 7, 12)
    for place in strange:
        ours[place] = rng.normal(0, 2, ours.shape[1])
    ours[19] = -seen.mean(axis=0)

    found = find_unfamiliar(ours.astype(np.float16), seen.astype(np.float16))

    assert found[0] == 19
    assert set(found) >= {*strange}
    assert len(found) < 1.4 * len(strange)

"""Making indexes on a Ray cluster: one task of one core per index."""

from collections.abc import Iterator, Sequence

import ray

from lib.cluster.connection import connected
from lib.cluster.worker_errors import worker_errors
from lib.search.build import Count, Gap, make_index
from lib.search.segments import Segment
from lib.storage.storage import Storage


def make_indexes_on_ray(
    gaps: Sequence[Gap], storage: Storage, count: Count = lambda _: None
) -> Iterator[Segment]:
    """Index gaps as `make_indexes`, on the cluster's workers; yield what is done at once.

    Raises:
        InputError: a file of the store is damaged.
        ReshelveError: there is no cluster, or a worker failed.
    """
    if not gaps:
        return
    with connected(), worker_errors():
        remote = ray.remote(num_cpus=1)(_make)
        waiting = [remote.remote(gap, storage) for gap in gaps]
        while waiting:
            (first,), waiting = ray.wait(waiting)
            segment: Segment = ray.get(first)
            count(segment.rows)
            yield segment


def _make(gap: Gap, storage: Storage) -> Segment:
    return make_index(gap, storage, lambda _: None, threads=1)

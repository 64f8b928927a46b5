"""Indexing: each backbone's store of embeddings gets the indexes that it lacks."""

import os
from dataclasses import dataclass
from functools import partial

from lib.errors import InputError
from lib.runs.progress import plural, stage
from lib.search.build import Count, Make, index_store, make_indexes
from lib.search.segments import store_files
from lib.storage.storage import Storage
from lib.storage.uris import absolute, join
from pipelines.steps import Say

UNSEARCHED = ("-int8",)  # stores of a training that compares precisions


@dataclass(frozen=True, kw_only=True)
class IndexedStore:
    """What was done to the store of one backbone."""

    uri: str
    embeddings: int
    indexes: int

    @property
    def sentence(self) -> str:
        """The same for a person."""
        if not self.indexes:
            return f"{self.uri}: every file has an index"
        made = f"{self.indexes:,} {'index' if self.indexes == 1 else 'indexes'}"
        return f"{self.uri}: {plural(self.embeddings, 'embedding')} are in {made} now"


def make_with(count: Count) -> Make:
    """Return what makes indexes: the workers of a cluster where there is one, or this process.

    Args:
        count: takes how many embeddings have been indexed more.
    """
    if not os.environ.get("RAY_ADDRESS"):
        return partial(make_indexes, count=count)
    from lib.cluster.index_segments import make_indexes_on_ray  # noqa: PLC0415  # Ray takes seconds to import

    return partial(make_indexes_on_ray, count=count)


def index(embeddings: str, storage: Storage, say: Say) -> list[IndexedStore]:
    """Make the indexes that are missing or damaged, and remove those of files that are gone.

    Args:
        embeddings: the folder that keeps the embeddings, with a store for each backbone.
        storage: how to reach it.
        say: takes each line for the person who waits.

    Raises:
        InputError: there are no embeddings, or a file of them is damaged.
    """
    folder = absolute(embeddings)
    uris = [
        join(folder, name)
        for name in sorted(storage.names(folder))
        if not name.endswith(UNSEARCHED) and store_files(storage.versions(join(folder, name)))
    ]
    if not uris:
        raise InputError(
            f"{embeddings}: there are no embeddings here; `reshelve embed RUN.yaml` makes them, "
            "and so does a night whose run file names `embeddings`"
        )
    done = []
    for uri in uris:
        with stage(say, f"indexing {uri}", "embeddings") as count:
            made = index_store(uri, storage, check=True, make=make_with(count))
        done.append(IndexedStore(uri=uri, embeddings=made.rows, indexes=made.segments))
        say(done[-1].sentence)
    return done

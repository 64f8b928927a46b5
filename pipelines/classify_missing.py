"""Classifying what a plan has left: units through the pool, their embeddings into the store."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext

import pyarrow as pa

from lib.embeddings.store import EmbeddingStore, name_of
from lib.inference.config import UnitJob
from lib.inference.where import runs_here
from lib.processes import Process
from lib.runs.metrics_log import UnitFigures
from lib.runs.plan import Plan
from lib.runs.progress import counted, plural, stage
from lib.runs.receipt import Receipt
from lib.runs.run import Run
from lib.runs.shards import finished_units, read_embeddings
from lib.search.build import index_store
from pipelines.index import make_with
from pipelines.steps import Say, work_off


def classify_left(
    job: UnitJob,
    figures: UnitFigures,
    say: Say,
    doing: str = "classifying",
    ahead: Process | None = None,
) -> None:
    """Classify the units of a run's plan that have no shard yet.

    Args:
        job: the run, and how its units are classified.
        figures: of the run.
        say: takes each line for the person who waits.
        doing: what this is to that person.
        ahead: a process that is one of those that classify here, and ends where others do; or None.

    Raises:
        ReshelveError: a unit failed as a whole; the same command resumes the run.
    """
    plan, done = Plan(job.run), finished_units(job.run)
    amount = f"{amount_of(plan.items, len(plan.units))}, {len(done):,} done before"
    here = runs_here(job.engine, len(plan.units) - len(done))

    def stream(units: list[int], figures: UnitFigures) -> Iterator[Receipt]:
        if here:
            from lib.inference.here import classify_units as classify_here  # noqa: PLC0415  # only what is used

            return classify_here(job, units, figures, ahead)
        from lib.cluster.classify_units import classify_units  # noqa: PLC0415  # Ray Data takes seconds to import

        if ahead:
            ahead.close()
        return classify_units(job, units, figures)

    @contextmanager
    def workers() -> Iterator[None]:
        with nullcontext() if here else ray_started(say):
            say(f"{doing} {amount}")
            yield

    work_off(plan, done, stream, figures, workers)


def amount_of(items: int, units: int) -> str:
    """Say how much there is to do."""
    return f"{plural(items, 'item')} in {plural(units, 'unit')}"


def keep_embeddings(
    store: EmbeddingStore,
    run: Run,
    name: str,
    say: Say,
    watch: Callable[[Iterator[pa.Table]], Iterator[pa.Table]] = iter,
) -> None:
    """Put the embeddings of a run's units into the store, and index them for searches.

    Args:
        store: takes them.
        run: whose units they are of.
        name: that they are appended under.
        say: takes each line for the person who waits.
        watch: passes them on, and may look at them.
    """
    units = Plan(run).units
    with stage(say, "keeping the embeddings", f"of {len(units):,} units", short=not units) as count:
        store.append(name, watch(counted(read_embeddings(run, units), count)))
    keep_index(store, name, say)


def keep_index(store: EmbeddingStore, name: str, say: Say) -> None:
    """Index what a run has put into the store, and nothing else."""
    only = {each for each in store.names if name_of(each) == name}
    with stage(say, "indexing the embeddings", "embeddings", short=True) as count:
        index_store(store.uri, store.storage, only, make=make_with(count))


@contextmanager
def ray_started(say: Say) -> Iterator[None]:
    """Connect to Ray for as long as the context is open."""
    address = os.environ.get("RAY_ADDRESS")
    with ExitStack() as stack:
        with stage(say, f"connecting to Ray at {address}" if address else "starting Ray"):
            from lib.cluster.connection import connected  # noqa: PLC0415  # Ray takes a second to import

            stack.enter_context(connected())
        yield

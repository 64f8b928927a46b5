"""Pairs of the same product, within one catalog or across two, in units that can be resumed."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pyarrow import parquet

from lib.batches import in_units
from lib.catalog.catalog import CatalogConfig
from lib.catalog.left_out import left_out_sentence
from lib.catalog.snapshot import freeze
from lib.config.config import Config
from lib.errors import GateError, InputError
from lib.hashing import digest_bytes, digest_json
from lib.matching.labelled_pairs import read_labelled_pairs
from lib.runs import files
from lib.runs.ending import Ending
from lib.runs.manifest import Manifest, read_manifest, write_manifest
from lib.runs.metrics_log import UnitFigures
from lib.runs.plan import Plan
from lib.runs.progress import plural, stage
from lib.runs.receipt import Receipt
from lib.runs.run import Intent, Run
from lib.runs.shards import finished_units, write_shard
from lib.schemas import ITEM_SCHEMA
from lib.storage.storage import Storage
from lib.storage.uris import absolute
from pipelines.match_inputs import MatchRun, Stores, check_pairs, count_names, find_stores
from pipelines.match_report import write_report
from pipelines.match_results import band_counts, largest_cluster, write_results
from pipelines.match_sides import Sides, opened_sides
from pipelines.steps import Say, carry_out, work_off


class Planned(Config):
    """A plan as the person who waits reads it; a run that is resumed knows no more of the items."""

    items: int
    others: int | None = None
    named: tuple[int, ...] = ()

    @property
    def sentence(self) -> str:
        """The plan for the person who waits."""
        if self.others is None:
            return plural(self.items, "item")
        against = "each other" if len(self.named) == 1 else f"{self.others:,}"
        titles = " and ".join(f"{each:,}" for each in self.named)
        return f"{plural(self.items, 'item')} against {against}, {titles} with a title"


def match(config: MatchRun, say: Say, ending: Ending | None = None) -> None:
    """Find the pairs of the same product; raises as `carry_out`.

    Args:
        config: the run file.
        say: takes each line for the person who waits.
        ending: learns which run it is, or None.
    """
    carry_out(prepared(config, say), config, say, ending)


def prepared(config: MatchRun, say: Say) -> "Matching":
    """Return the job of a run file.

    Raises:
        InputError: the embeddings of the two sides cannot be compared, or pairs cannot be read.
    """
    storage = Storage(config.storage)
    stores = find_stores(config, storage)
    pairs = "" if config.pairs is None else digest_bytes(storage.read(absolute(config.pairs)))
    return Matching(config, stores, pairs, storage, say)


@dataclass(frozen=True)
class Matching:
    """A match as a job of units."""

    config: MatchRun
    stores: Stores
    pairs_digest: str
    storage: Storage
    say: Say

    @property
    def intent(self) -> Intent:
        """The run's fingerprint, and its run file without secrets."""
        config = self.config.model_dump(mode="json", exclude={"storage"})
        catalogs = ("left", "right", "embeddings", "right_embeddings")
        scoring = ("candidates", "near_copies", "accept")
        return Intent(
            job="match",
            fingerprint={
                "backbone": self.stores.digest,
                "snapshot": digest_json([config[key] for key in catalogs]),
                "scoring": digest_json([*(config[key] for key in scoring), self.pairs_digest]),
            },
            run_file=config,
            fresh_for=timedelta(hours=24),
        )

    def plan(self, folder: Path) -> Planned:
        """As `Job`."""
        config = self.config
        left = self._freeze(config.left, folder / files.SNAPSHOT, "catalog")
        snapshots = [left]
        if config.right is not None:
            snapshots.append(self._freeze(config.right, folder / files.RIGHT, "right catalog"))
        named = tuple(count_names(snapshot) for snapshot in snapshots)
        if self.stores.left is None:
            if not all(named):
                at = config.left if not named[0] or config.right is None else config.right
                raise InputError(
                    f"{at.uri}: there is nothing to match by: no item here has a name, and "
                    f"{self.stores.why_not}; give the catalog a column 'name', or make embeddings "
                    "with 'reshelve embed'"
                )
            self.say(f"names alone are compared: {self.stores.why_not}")
        if config.pairs is not None:
            within_one = config.right is None
            pairs = read_labelled_pairs(config.pairs, self.storage, within_one=within_one)
            check_pairs(pairs, left, snapshots[-1], config.pairs)
        items = write_units(left, folder / files.PLAN, config.unit_size)
        others = parquet.read_metadata(snapshots[-1]).num_rows
        return Planned(items=items, others=others, named=named)

    def _freeze(self, catalog: CatalogConfig, path: Path, name: str) -> Path:
        with stage(self.say, f"reading the {name}") as count:
            frozen = freeze(catalog, self.storage, path, count=count)
        if sentence := left_out_sentence(frozen.left_out):
            self.say(sentence)
        return frozen.path

    def write_plan(self, run: Run, _: Planned, folder: Path) -> None:
        """As `Job`."""
        if self.config.right is not None:
            self.storage.upload(folder / files.RIGHT, run.at(files.RIGHT))
        self.storage.upload(folder / files.PLAN, run.at(files.PLAN))

    def read_plan(self, run: Run) -> Planned | None:
        """As `Job`."""
        return Planned(items=Plan(run).items) if run.exists(files.PLAN) else None

    def work(self, run: Run, _: Planned) -> None:
        """As `Job`."""
        if run.exists(files.MANIFEST):
            return
        started = time.monotonic()
        plan, done = Plan(run), finished_units(run)
        figures = UnitFigures(run, plan.items, plan.count(done))
        with opened_sides(self.config, run, self.stores, self.storage, self.say) as sides:
            amount = f"{plural(plan.items, 'item')} in {plural(len(plan.units), 'unit')}"
            self.say(f"matching {amount}, {len(done):,} done before")
            with ExitStack() as stack:
                stack.callback(figures.close)
                work_off(plan, done, lambda units, _: do_units(run, units, sides), figures)
            with stage(self.say, "writing pairs and clusters"):
                results = write_results(run, plan, sides)
        seconds = time.monotonic() - started
        manifest = Manifest(
            run_id=run.run_id,
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
            catalog=self.config.left.uri,
            bundle=self.config.bundle or "",
            taxonomy_version="",
            fingerprint=run.record.fingerprint,
            parts=results.parts,
            totals=results.totals,
            seconds=seconds,
            images_per_s=figures.images_per_s,
        )
        write_manifest(run, manifest)

    def end(self, run: Run) -> None:
        """Hold the run to its gates, write the report, and say how it ended.

        Raises:
            GateError: a gate refuses it; its files and its report are there.
        """
        manifest = read_manifest(run)
        assert manifest is not None
        totals, pairs, largest = manifest.totals, band_counts(run), largest_cluster(run)
        refused = self._refused(totals.error_count / max(totals.items, 1), largest)
        with stage(self.say, "writing the report"):
            write_report(run, self.config, pairs, refused)
        found = (
            f"{totals.decisions.get('same', 0):,} of {plural(totals.items, 'item')} have a match, "
            f"{totals.decisions.get('review', 0):,} wait for a person: {run.at(files.PAIRS)}"
        )
        state, sentence = ("refused", refused) if refused else ("matched", found)
        counts = {"items": totals.items, "pairs": pairs, "largest_cluster": largest}
        if state == "refused":
            run.end({"state": "refused", "sentence": sentence, **counts})
            raise GateError(f"{run}: {sentence}; its report is {run.at(files.REPORT)}")
        run.end({"state": "matched", "sentence": sentence, **counts})
        self.say(sentence)

    def _refused(self, error_rate: float, largest: int) -> str:
        gates = self.config.gates
        if gates.max_error_rate is not None and error_rate > gates.max_error_rate:
            return (
                f"gates.max_error_rate: {error_rate:.1%} of the items have nothing to compare, "
                f"{gates.max_error_rate:.1%} are allowed"
            )
        if gates.max_cluster_items is not None and largest > gates.max_cluster_items:
            return (
                f"gates.max_cluster_items: one cluster has {largest:,} items, "
                f"{gates.max_cluster_items:,} are allowed; their titles or photos may be a "
                "placeholder's"
            )
        return ""


def write_units(snapshot: Path, plan: Path, unit_size: int) -> int:
    """Write a snapshot's items as a plan, in units; return how many there are."""
    kept = {"compression": "zstd", "write_page_checksum": True}
    count = 0
    with (
        parquet.ParquetFile(snapshot) as items,
        parquet.ParquetWriter(plan, ITEM_SCHEMA, **kept) as writer,
    ):
        for unit in in_units(items.iter_batches(), unit_size):
            count += unit.num_rows
            writer.write_batch(unit, row_group_size=max(unit.num_rows, 1))
    return count


def do_units(run: Run, units: list[int], sides: Sides) -> Iterator[Receipt]:
    """Match units, one after the other, and yield the receipt of each as its shard is written."""
    plan = Plan(run)
    for unit in units:
        first = plan.count(range(unit))
        table, receipt = sides.matcher.match(unit, sides.left(plan.read(unit), first), first)
        write_shard(run, table, receipt)
        yield receipt

"""Both sides of a match in memory, and what weighs them: the same at each try of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from lib.config.config import Config
from lib.embeddings.store import Embeddings
from lib.matching.bands import Limits
from lib.matching.clusters import Edge
from lib.matching.gather import gather
from lib.matching.image_index import ImageIndex
from lib.matching.labelled_pairs import read_labelled_pairs
from lib.matching.learned import learn
from lib.matching.linear import Linear
from lib.matching.match_unit import Matcher
from lib.matching.name_index import NameIndex
from lib.matching.name_table import Ints, read_names, stack
from lib.matching.near_copies import NearCopies
from lib.matching.scorer import Evidence, Scorer
from lib.matching.side import Side
from lib.matching.weights import Weights
from lib.runs import files
from lib.runs.progress import stage
from lib.runs.run import Run
from lib.storage.storage import Storage
from pipelines.match_inputs import MatchRun, Stores, places_of
from pipelines.steps import Say

COLUMNS = ["item_id", "uri", "category_id", "name"]
BLOCK_ROWS = 50_000
PAIRS_AT_ONCE = 200_000


class Scoring(Config):
    """`scoring.json`: the weights and limits of a run, which a resumed run takes again."""

    names: tuple[float, ...]
    names_bias: float
    final: tuple[float, ...]
    final_bias: float
    same: float
    review: float
    sentence: str
    promised: bool


@dataclass(frozen=True)
class Sides:
    """What units are matched with; the left side's items are read as they are asked for."""

    left_items: Path
    left_vectors: Embeddings
    left_place: Ints
    matcher: Matcher

    def left(self, items: pa.Table, first: int) -> Side:
        """Return the side of some items, which begin at a row of the left catalog."""
        names = items["name"].to_pylist()
        place = self.left_place[first : first + items.num_rows]
        return _side(items, names, self.left_vectors, place)

    def left_rows(self, rows: Ints) -> Side:
        """Return the side of some rows of the left catalog, in their order."""
        items = parquet.read_table(self.left_items, columns=COLUMNS).take(rows)
        return _side(items, items["name"].to_pylist(), self.left_vectors, self.left_place[rows])

    def compare_ids(self, left_ids: list[str], right_ids: list[str]) -> Evidence:
        """Compare pairs of a left and a right item, by their ids."""
        left = self._known("left", left_ids)
        right = self.matcher.right.take(_rows(right_ids, self.matcher.right.items))
        every = np.arange(len(left_ids))
        return self.matcher.compare(left, right, every, every)

    def are_same(self, pairs: list[Edge]) -> Iterator[bool]:
        """Say of pairs of any two items whether they are the same."""
        matcher = self.matcher
        every = np.arange(len(pairs))
        one, other = (self._of_nodes([pair[end] for pair in pairs]) for end in (0, 1))
        evidence = matcher.compare(one, other, every, every)
        final = matcher.scorer.score(evidence).final
        for band in matcher.limits.bands(final, evidence.forbids):
            yield band == "same"

    def _of_nodes(self, nodes: list[tuple[str, str]]) -> Side:
        """Put items of both sides into one, in the order they are given."""
        right = self.matcher.right
        sides, order = [], np.empty(len(nodes), np.int64)
        start = 0
        for name in ("left", "right"):
            mine = np.array(
                [place for place, node in enumerate(nodes) if node[0] == name], np.int64
            )
            order[mine] = start + np.arange(len(mine))
            start += len(mine)
            ids = [nodes[place][1] for place in mine.tolist()]
            sides.append(
                self._known("left", ids) if name == "left" else right.take(_rows(ids, right.items))
            )
        return _one_below_the_other(*sides).take(order)

    def _known(self, _: str, ids: list[str]) -> Side:
        items = parquet.read_table(self.left_items, columns=["item_id"])
        return self.left_rows(_rows(ids, items))


@contextmanager
def opened_sides(
    config: MatchRun, run: Run, stores: Stores, storage: Storage, say: Say
) -> Iterator[Sides]:
    """Read both sides of a run from its folder, and learn or read what weighs them."""
    with TemporaryDirectory(prefix="reshelve-") as folder:
        scratch = Path(folder)
        left_items = scratch / "left.parquet"
        storage.download(run.at(files.PLAN), left_items)
        right_items = left_items
        if config.right is not None:
            right_items = scratch / "right.parquet"
            storage.download(run.at(files.RIGHT), right_items)
        with stage(say, "reading the embeddings", short=True):
            left_vectors, left_place = gather(left_items, stores.left, scratch / "left.f16")
            vectors, place = left_vectors, left_place
            if config.right is not None:
                vectors, place = gather(right_items, stores.right, scratch / "right.f16")
        with stage(say, "reading the titles") as count:
            items = parquet.read_table(right_items, columns=COLUMNS)
            blocks = []
            for start in range(0, items.num_rows, BLOCK_ROWS):
                blocks.append(read_names(items["name"].slice(start, BLOCK_ROWS).to_pylist()))
                count(len(blocks[-1]))
            names = stack(blocks)
            right = Side(
                items=items.drop_columns("name"), names=names, vectors=vectors, place=place
            )
        with stage(say, "making the indexes"):
            weights = Weights.of([names])
            name_index = NameIndex(names, weights)
            there = np.flatnonzero(right.has_image)
            images = ImageIndex(vectors[place[there]] if len(there) else vectors, there)

        near = NearCopies.of(config.reading, config.storage) if config.near_copies else None

        def sides(scorer: Scorer, limits: Limits) -> Sides:
            matcher = Matcher(
                right=right,
                names=name_index,
                images=images,
                weights=weights,
                scorer=scorer,
                limits=limits,
                candidates=config.candidates,
                within_one=config.right is None,
                near_copies=near,
            )
            return Sides(left_items, left_vectors, left_place, matcher)

        yield sides(*_scoring(config, run, sides(Scorer(), Limits()), storage, say))


def _scoring(
    config: MatchRun, run: Run, sides: Sides, storage: Storage, say: Say
) -> tuple[Scorer, Limits]:
    """Return the weights and limits of a run, learned once."""
    kept = run.find(files.SCORING, Scoring)
    if kept is None:
        scorer, limits = Scorer(), Limits()
        if config.pairs is not None:
            within_one = config.right is None
            pairs = read_labelled_pairs(config.pairs, storage, within_one=within_one)
            with stage(say, "learning from the labelled pairs"):
                evidence = sides.compare_ids(pairs.left_ids, pairs.right_ids)
                learned = learn(evidence, pairs.same, pairs.left_ids, config.accept)
            scorer, limits = learned.scorer, learned.limits
        kept = Scoring(
            names=scorer.names.weights,
            names_bias=scorer.names.bias,
            final=scorer.final.weights,
            final_bias=scorer.final.bias,
            same=limits.same,
            review=limits.review,
            sentence=limits.sentence,
            promised=limits.promised,
        )
        run.write(files.SCORING, kept.model_dump_json(indent=2).encode())
    say(kept.sentence)
    scorer = Scorer(Linear(kept.names, kept.names_bias), Linear(kept.final, kept.final_bias))
    limits = Limits(
        same=kept.same, review=kept.review, sentence=kept.sentence, promised=kept.promised
    )
    return scorer, limits


def _side(items: pa.Table, names: list[str | None], vectors: Embeddings, place: Ints) -> Side:
    return Side(items=items, names=read_names(names), vectors=vectors, place=place)


def _one_below_the_other(one: Side, other: Side) -> Side:
    """Put two sides into one; the embeddings that neither asks for are left out."""
    vectors, place = [], []
    start = 0
    for side in (one, other):
        there = side.place >= 0
        some = side.vectors[side.place[there]]
        moved = np.full(len(side.place), -1, np.int64)
        moved[there] = start + np.arange(len(some))
        start += len(some)
        place.append(moved)
        vectors.append(some)
    filled = [each for each in vectors if len(each)] or vectors[:1]
    columns = ["item_id", "uri", "category_id"]
    return Side(
        items=pa.concat_tables([one.items.select(columns), other.items.select(columns)]),
        names=stack([one.names, other.names]),
        vectors=np.concatenate(filled),
        place=np.concatenate(place),
    )


def _rows(ids: list[str], items: pa.Table) -> Ints:
    return np.asarray(places_of(ids, items), np.int64)

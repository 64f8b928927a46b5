"""Tagging a catalog from a few examples: a head per tag, scored over all kept embeddings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from lib.config.yaml_lines import text_of
from lib.hashing import digest_json
from lib.heads.tag_examples import TagExamples, check_enough, parse_examples
from lib.heads.tags import LIKELY, Background, TagHead, probabilities
from lib.labels.decisions import NEVER, Decision
from lib.labels.promises import Accept
from lib.labels.tags_table import TagsTable
from lib.runs.progress import plural, stage
from lib.schemas import TAGS_SCHEMA
from lib.search.catalog import CatalogSearch
from lib.search.items import Items
from lib.search.nearest import Nearest
from lib.storage.storage import Storage
from pipelines.search import Searched
from pipelines.steps import Say

SAMPLE_ITEMS = 4_000  # say how embeddings of the catalog vary
PERSON = "person"  # the decision of an example
MOST_REVIEW = 1_000  # of each tag, that a person may look at
Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """A tag's head, and the items that have it or may have it.

    Attributes:
        examples: as a person gave them.
        given: rows of the items that a person says have it.
        head: with its threshold.
        rows: rows of other items, the most probable first.
        probability: of each.
    """

    examples: TagExamples
    given: Ints
    head: TagHead
    rows: Ints
    probability: Floats

    @property
    def accepted(self) -> int:
        """How many items reach the threshold; they come first."""
        return int((self.probability >= self.head.threshold).sum())

    def to_json(self) -> dict[str, Any]:
        """What a program is told of it."""
        return {
            "tag": self.examples.tag,
            "examples": self.head.positive,
            "counter_examples": self.head.negative,
            "accepted": self.accepted,
            "review": len(self.rows) - self.accepted,
            "precision_low": self.head.low,
            "precision_high": self.head.high,
            "needed": self.head.needed,
        }

    @property
    def sentence(self) -> str:
        """The same for a person."""
        head, review = self.head, len(self.rows) - self.accepted
        if head.threshold < NEVER:
            found = f"{plural(self.accepted, 'item')} accepted, {review:,} to look at"
        else:
            found = f"none accepted, {review:,} to look at"
        if not head.negative:
            why = "; counter-examples would tell how many are right"
        elif head.threshold < NEVER or head.needed is None:
            why = f"; {head.right} of {head.accepted} held-out examples right"
        else:
            why = f"; about {head.needed:,} examples more would make a promise"
        return f"{self.examples.tag}: {found}{why}"


def read_examples(uri: str, storage: Storage) -> list[TagExamples]:
    """Read the examples of tags; raises as `parse_examples`."""
    return parse_examples(text_of(storage.read(uri), uri), uri)


def run_of(examples: Sequence[TagExamples], searched: Searched, accept: Accept) -> str:
    """Return the id of a run: of the same examples, items and embeddings it is the same."""
    given = sorted([each.tag, sorted(each.positive), sorted(each.negative)] for each in examples)
    return f"tag-{digest_json([given, searched.version, accept.model_dump()])[:16]}"


def tag(
    examples: Sequence[TagExamples], source: str, catalog: CatalogSearch, accept: Accept, say: Say
) -> list[Tagged]:
    """Fit a head for each tag, and score every item that has an embedding.

    Args:
        examples: of each tag.
        source: where they stand, for messages.
        catalog: whose items are scored.
        accept: what is promised of the items that are accepted.
        say: takes each line for the person who waits.

    Raises:
        InputError: examples have no embedding, and too few of a tag are left; or a file of
            embeddings is damaged, or gone.
    """
    items, nearest = catalog.items, catalog.nearest
    with stage(say, "reading the examples", short=True):
        known = [_known(each, source, items, say) for each in examples]
        # all at once: where there is no index, each reading goes through all files
        wanted = [_sample(items), *(rows for both in known for rows in both)]
        sample, *given = _vectors(wanted, items, nearest)
        background = Background(sample)
        pairs = zip(given[::2], given[1::2], strict=True)
        heads = [background.fit(positive, negative, accept) for positive, negative in pairs]
    with stage(say, f"scoring {plural(len(items.places), 'item')}", "embeddings") as count:
        found = _score(heads, items, nearest, count)
    tagged = []
    for each, head, both, (rows, values) in zip(examples, heads, known, found, strict=True):
        asked = ~np.isin(rows, np.concatenate(both))  # a person has answered the others
        rows, values = rows[asked], values[asked]  # noqa: PLW2901
        order = np.lexsort((rows, -values))
        kept = int((values >= head.threshold).sum()) + MOST_REVIEW
        tagged.append(
            Tagged(
                examples=each,
                given=both[0],
                head=head,
                rows=rows[order[:kept]],
                probability=values[order[:kept]],
            )
        )
        say(tagged[-1].sentence)
    return tagged


def publish(tagged: Sequence[Tagged], items: Items, table: TagsTable, run_id: str) -> int:
    """Put what was found into the table of tags, in one commit; return its version."""
    now = datetime.now(UTC)
    parts = [TAGS_SCHEMA.empty_table()]
    for each in tagged:
        decided = np.where(
            each.probability >= each.head.threshold, Decision.ACCEPT, Decision.REVIEW
        )
        rows = np.concatenate([each.given, each.rows])
        count = len(rows)
        named = items.rows.select(["item_id", "uri"]).take(pa.array(rows))
        columns = [
            named["item_id"],
            named["uri"],
            pa.repeat(each.examples.tag, count),
            pa.array(np.concatenate([np.ones(len(each.given)), each.probability]), pa.float32()),
            pa.array([*[PERSON] * len(each.given), *decided.tolist()], pa.string()),
            pa.repeat(run_id, count),
            pa.repeat(pa.scalar(now, pa.timestamp("us", tz="UTC")), count),
        ]
        parts.append(pa.table(columns, schema=TAGS_SCHEMA))
    return table.replace([each.examples.tag for each in tagged], pa.concat_tables(parts), run_id)


def _known(examples: TagExamples, source: str, items: Items, say: Say) -> tuple[Ints, Ints]:
    """Return the rows of a tag's examples and counter-examples, as far as they have any."""
    positive, negative = (_rows_of(ids, items) for ids in (examples.positive, examples.negative))
    asked = len(examples.positive) + len(examples.negative)
    if lost := asked - len(positive) - len(negative):
        say(f"{examples.tag}: {plural(lost, 'example')} without an embedding, or not in the table")
    check_enough(examples.tag, len(positive), source)
    return positive, negative


def _rows_of(ids: Sequence[str], items: Items) -> Ints:
    known = items.rows["item_id"].combine_chunks()
    rows: Ints = pc.index_in(pa.array(ids, pa.string()), value_set=known).drop_null().to_numpy()
    return rows.astype(np.int64)


def _sample(items: Items) -> Ints:
    """Choose items at random, and always the same ones."""
    count = len(items.places)
    chosen = np.random.default_rng(0).choice(count, min(count, SAMPLE_ITEMS), replace=False)
    return chosen.astype(np.int64)


def _vectors(wanted: Sequence[Ints], items: Items, nearest: Nearest) -> list[Tensor]:
    """Read the embeddings of lists of rows, float32 [n, d] each, in their order."""
    places, back = np.unique(items.places[np.concatenate(wanted)], return_inverse=True)
    matrix = torch.from_numpy(nearest.read(places)[back].astype(np.float32))
    return list(matrix.split([len(rows) for rows in wanted]))


def _score(
    heads: Sequence[TagHead],
    items: Items,
    nearest: Nearest,
    count: Callable[[int], object],
) -> list[tuple[Ints, Floats]]:
    """Return for each tag the rows that are accepted or likely, and their probabilities."""
    found: list[list[tuple[Ints, Floats]]] = [[] for _ in heads]
    for first, matrix in nearest.read_vectors():
        values = probabilities(torch.from_numpy(matrix.copy()), heads).numpy()
        rows = np.arange(*np.searchsorted(items.places, [first, first + len(matrix)]))
        inside = items.places[rows] - first
        for number, head in enumerate(heads):
            column = values[inside, number]
            likely = np.flatnonzero(column >= min(head.threshold, LIKELY))
            found[number].append((rows[likely], column[likely]))
        count(len(matrix))
    nothing = np.empty(0, np.int64), np.empty(0, np.float32)
    return [
        (
            np.concatenate([nothing[0], *(rows for rows, _ in each)]),
            np.concatenate([nothing[1], *(column for _, column in each)]),
        )
        for each in found
    ]

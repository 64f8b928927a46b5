"""What a new head is fitted on: old labels that map without doubt, and new examples."""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from lib.catalog.csv_dialect import encoding_of, parse_options, why_unreadable
from lib.catalog.split import split_items
from lib.errors import InputError
from lib.schemas import ITEM_SCHEMA
from lib.storage.storage import Storage
from lib.taxonomy.edits import LEAST_EXAMPLES
from lib.taxonomy.migration import Migration
from lib.taxonomy.taxonomy import Taxonomy


@dataclass(frozen=True)
class Labelled:
    """Items with a leaf of the new taxonomy each, columns of `ITEM_SCHEMA`.

    Attributes:
        train: what a head is fitted on.
        held_out: what it is calibrated and evaluated on.
        in_doubt: how many old labels do not say which new one is theirs, and are left out.
        answers: how many of them are people's answers; None where no table of these is given.
    """

    train: pa.Table
    held_out: pa.Table
    in_doubt: int
    answers: int | None = None


def read_examples(uri: str, taxonomy: Taxonomy, storage: Storage) -> pa.Table:
    """Read new examples: a CSV of `item_id` and `category_id`, leaves of the new taxonomy.

    Returns:
        Columns item_id and category_id.

    Raises:
        InputError: it cannot be read, or names an unknown category, or an item twice.
    """
    convert = csv.ConvertOptions(column_types={"item_id": pa.string(), "category_id": pa.string()})
    try:
        data = storage.read(uri)
        read = csv.ReadOptions(encoding=encoding_of(data))
        found = csv.read_csv(io.BytesIO(data), read, parse_options(data), convert)
    except (pa.ArrowException, UnicodeError) as error:
        why = why_unreadable(error)
        raise InputError(f"{uri}: the examples cannot be read: {why}") from None
    if not {"item_id", "category_id"} <= set(found.column_names):
        names = ", ".join(found.column_names)
        raise InputError(f"{uri}: expected the columns item_id and category_id; it has: {names}")
    labels = pc.utf8_normalize(found["category_id"], form="NFC")  # as the taxonomy has them
    found = pa.table({"item_id": found["item_id"], "category_id": labels})
    taxonomy.check_labels(labels.to_pylist(), uri)
    counts = Counter(found["item_id"].to_pylist())
    if twice := [item for item, count in counts.items() if count > 1]:
        raise InputError(f"{uri}: '{twice[0]}' stands here a second time")
    return found


def find_examples(examples: pa.Table, known: pa.Table, uri: str) -> pa.Table:
    """Return the examples with their images, columns of `ITEM_SCHEMA`.

    Args:
        examples: as `read_examples` gives them.
        known: items by id, columns item_id, uri, etag and name; the first of an id counts.
        uri: of the examples, for the error.

    Raises:
        InputError: an example is none of the known items.
    """
    place = pc.index_in(examples["item_id"], known["item_id"].combine_chunks())
    if place.null_count:
        lost = examples.filter(pc.is_null(place))["item_id"].to_pylist()
        raise InputError(
            f"{uri}: '{lost[0]}' is neither a labelled item nor one of the labels table "
            f"({len(lost):,} such); an example is named by its item_id"
        )
    items = known.take(place)
    columns = {"item_id": examples["item_id"], "category_id": examples["category_id"]}
    columns |= {name: items[name] for name in ("uri", "etag", "name")}
    nothing = {f.name: pa.nulls(examples.num_rows, f.type) for f in ITEM_SCHEMA}
    return pa.table([(nothing | columns)[f.name] for f in ITEM_SCHEMA], schema=ITEM_SCHEMA)


def map_labels(
    train: pa.Table, held_out: pa.Table, examples: pa.Table, migration: Migration, fraction: float
) -> Labelled:
    """Put the new labels on the labelled items, and split the examples.

    An example stands for its item whatever the old label said.

    Args:
        train: items with a leaf of the old taxonomy each, the old training's own.
        held_out: the same, of those that the old training has held out.
        examples: as `read_examples` gives them.
        migration: from the old taxonomy to the new.
        fraction: of the examples, what is held out.
    """
    sides = [_map(side, examples, migration) for side in (train, held_out)]
    in_doubt = train.num_rows + held_out.num_rows - sum(side.num_rows for side in sides)
    if examples.num_rows:
        shares = split_items(examples, fraction, "the examples")
        sides = [pa.concat_tables(pair) for pair in zip(sides, shares, strict=True)]
        both = pc.is_in(examples["item_id"], pa.concat_tables([train, held_out])["item_id"])
        in_doubt -= pc.sum(both).as_py() or 0
    return Labelled(sides[0], sides[1], in_doubt)


def _map(items: pa.Table, examples: pa.Table, migration: Migration) -> pa.Table:
    certain = migration.certain
    new = pa.array([certain.get(old) for old in items["category_id"].to_pylist()], pa.string())
    place = items.schema.get_field_index("category_id")
    mapped = items.set_column(place, ITEM_SCHEMA.field("category_id"), new)
    example = pc.is_in(items["item_id"], examples["item_id"].combine_chunks())
    return mapped.filter(pc.and_not(pc.is_valid(new), example))


def check_enough(
    train: Sequence[str], held_out: Sequence[str], leaves: Sequence[str], advice: str
) -> None:
    """Refuse to fit a head that lacks items of a category.

    Args:
        train: category ids of the items to fit on that have an embedding.
        held_out: the same of the items that are held out.
        leaves: that the head is to learn.
        advice: what to do where embeddings are missing, or an empty text.

    Raises:
        InputError: names the categories and how many items each has.
    """
    fitted, counts = Counter(train), Counter([*train, *held_out])
    few = [leaf for leaf in leaves if counts[leaf] < LEAST_EXAMPLES or not fitted[leaf]]
    if few:
        shown = ", ".join(f"'{leaf}' has {counts[leaf]}" for leaf in few[:5])
        more = f" and {len(few) - 5} more categories are as short" if len(few) > 5 else ""
        raise InputError(
            f"too few labelled items with an embedding to fit a head: {shown}"
            f"{more}; each category needs {LEAST_EXAMPLES}, one of them held out: add some "
            f"to 'examples'{advice}"
        )
    if not held_out:
        raise InputError("no labelled item with an embedding is held out; give 'validation'")

"""Examples of tags: which items have one, and which have it not, as a person says it."""

import csv
import io
from collections import defaultdict
from dataclasses import dataclass

from lib.errors import InputError

LEAST_EXAMPLES = 3
COLUMNS = ("tag", "item_id")
ANSWERS = {"yes": True, "true": True, "1": True, "": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True, kw_only=True)
class TagExamples:
    """Items that have a tag, and counter-examples, which have it not; by their ids."""

    tag: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]


def parse_examples(text: str, source: str) -> list[TagExamples]:
    """Read examples of tags from CSV: `tag`, `item_id` and, if it is there, `holds`, yes or no.

    Raises:
        InputError: a column is missing, an answer is none, an item has two, or a tag has too few.
    """
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    if lacking := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
        raise InputError(
            f"{source}: the column '{lacking[0]}' is missing; expected tag, item_id and, where "
            "there are counter-examples, holds"
        )
    answers: dict[str, dict[str, bool]] = defaultdict(dict)
    for row in reader:
        tag, item_id = ((row[name] or "").strip() for name in COLUMNS)
        said = (row.get("holds") or "").strip().lower()
        if not tag or not item_id or said not in ANSWERS:
            what = f"'{said}' is neither yes nor no" if tag and item_id else "a value is missing"
            raise InputError(f"{source}, line {reader.line_num}: {what}")
        if answers[tag].setdefault(item_id, ANSWERS[said]) != ANSWERS[said]:
            raise InputError(
                f"{source}, line {reader.line_num}: item '{item_id}' is said to have the tag "
                f"'{tag}', and not to have it; leave one of the two out"
            )
    found = [
        TagExamples(
            tag=tag,
            positive=tuple(item for item, holds in items.items() if holds),
            negative=tuple(item for item, holds in items.items() if not holds),
        )
        for tag, items in answers.items()
    ]
    if not found:
        raise InputError(f"{source}: there are no examples in it")
    for each in found:
        check_enough(each.tag, len(each.positive), source)
    return found


def check_enough(tag: str, positive: int, source: str) -> None:
    """Refuse a tag with too few examples.

    Raises:
        InputError: says how many there are.
    """
    if positive < LEAST_EXAMPLES:
        examples = "1 example" if positive == 1 else f"{positive} examples"
        raise InputError(
            f"{source}: the tag '{tag}' has {examples} with an embedding; at least "
            f"{LEAST_EXAMPLES} are needed"
        )

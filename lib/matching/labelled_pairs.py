"""Labelled pairs: a CSV of left id, right id, and whether they are the same."""

import csv
import io
from dataclasses import dataclass

import numpy as np

from lib.config.yaml_lines import text_of
from lib.errors import InputError
from lib.matching.name_table import Bools
from lib.storage.storage import Storage
from lib.storage.uris import absolute

COLUMNS = ("left_id", "right_id", "same")
FEWEST = 20  # of either kind: weights of fewer say more of these pairs than of others
YES = {"1": True, "0": False, "true": True, "false": False, "yes": True, "no": False}


@dataclass(frozen=True, kw_only=True)
class LabelledPairs:
    """Pairs that a person has looked at, each once; `same` is bool [n]."""

    left_ids: list[str]
    right_ids: list[str]
    same: Bools


def read_labelled_pairs(uri: str, storage: Storage, *, within_one: bool) -> LabelledPairs:
    """Read labelled pairs.

    Args:
        uri: of the CSV, with the columns `COLUMNS`.
        storage: how to reach it.
        within_one: both ids are of one catalog, so that a pair may stand there either way round.

    Raises:
        InputError: it cannot be read, pairs contradict each other, or there are too few of a kind;
            names the line.
    """
    rows = _read_rows(text_of(storage.read(absolute(uri)), uri), uri)
    found: dict[tuple[str, str], tuple[bool, int]] = {}
    for line, row in enumerate(rows, 2):
        left, right, said = (str(row[name] or "").strip() for name in COLUMNS)
        itself = within_one and left == right
        if not left or not right or itself or said.lower() not in YES:
            raise InputError(
                f"{uri}: line {line}: expected the ids of two items, and 1 for the same "
                "product or 0 for another"
            )
        key = (min(left, right), max(left, right)) if within_one else (left, right)
        same, first = found.setdefault(key, (YES[said.lower()], line))
        if same != YES[said.lower()]:
            raise InputError(
                f"{uri}: line {line} contradicts line {first}: '{left}' and '{right}' are "
                "the same in one and not in the other; keep one of the lines"
            )
    same_of = np.array([same for same, _ in found.values()], np.bool_)
    for kind, count in (("the same", int(same_of.sum())), ("different", int((~same_of).sum()))):
        if count < FEWEST:
            raise InputError(
                f"{uri}: {count} of {len(found)} pairs are {kind}; weights are learned from "
                f"{FEWEST} of either kind, or leave 'pairs' out"
            )
    left_ids, right_ids = [key[0] for key in found], [key[1] for key in found]
    return LabelledPairs(left_ids=left_ids, right_ids=right_ids, same=same_of)


def _read_rows(text: str, uri: str) -> list[dict[str, str | None]]:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    try:
        columns, found = rows.fieldnames or (), list(rows)
    except csv.Error as error:
        raise InputError(f"{uri}: line {rows.line_num + 1}: this is not CSV: {error}") from None
    if missing := [name for name in COLUMNS if name not in columns]:
        raise InputError(
            f"{uri}: the column {missing[0]} is missing; labelled pairs have the columns "
            f"{', '.join(COLUMNS)}"
        )
    return found

"""Changes that a person makes to a taxonomy, one by one, and what each is in words."""

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Literal

from pydantic import Field

from lib.config.config import Config
from lib.taxonomy.ids import CategoryId, nfc

LEAST_EXAMPLES = 3  # of each new category, one of them held out


class Rename(Config):
    """Another name; the id stays."""

    kind: Literal["rename"] = "rename"
    category_id: CategoryId
    name: str


class Move(Config):
    """Another group above a category; None is the top."""

    kind: Literal["move"] = "move"
    category_id: CategoryId
    parent: CategoryId | None


class Merge(Config):
    """Some categories become one of them, or another."""

    kind: Literal["merge"] = "merge"
    category_ids: tuple[CategoryId, ...]
    into: CategoryId


class Part(Config):
    """What a category is split into: a new category, and items that belong to it."""

    category_id: CategoryId
    name: str
    examples: tuple[str, ...]


class Split(Config):
    """A category becomes several: in its place, or below it as their group."""

    kind: Literal["split"] = "split"
    category_id: CategoryId
    parts: tuple[Part, ...]
    below: bool = False


class Add(Config):
    """A new category, to which items of any other may belong."""

    kind: Literal["add"] = "add"
    category_id: CategoryId
    name: str
    parent: CategoryId | None
    examples: tuple[str, ...]


class Group(Config):
    """A new group, into which categories can be moved."""

    kind: Literal["group"] = "group"
    category_id: CategoryId
    name: str
    parent: CategoryId | None


class Remove(Config):
    """No such category any more; of a group, what is in it goes one level up."""

    kind: Literal["remove"] = "remove"
    category_id: CategoryId


Edit = Annotated[
    Rename | Move | Merge | Split | Add | Group | Remove, Field(discriminator="kind")
]  # fmt: skip


def new_id(name: str, taken: Collection[str]) -> str:
    """Return an id for a category of this name that no other has."""
    plain = re.sub(r"\W+", "-", nfc(name).lower()).strip("-") or "category"
    number, found = 1, plain
    while found in taken:
        number += 1
        found = f"{plain}-{number}"
    return found


def words_of(edit: Edit, names: Mapping[str, str]) -> str:  # noqa: PLR0911  # one per kind
    """Say what an edit does.

    Args:
        edit: it.
        names: of the categories before it, by id.
    """

    def name(category_id: str) -> str:
        return f"'{names.get(category_id, category_id)}'"

    def place(parent: str | None) -> str:
        return "the top of the tree" if parent is None else name(parent)

    match edit:
        case Rename():
            return f"{name(edit.category_id)} is called '{edit.name}'"
        case Move():
            return f"{name(edit.category_id)} moves to {place(edit.parent)}"
        case Merge():
            others = " and ".join(name(e) for e in edit.category_ids if e != edit.into)
            return f"{others} become{'' if ' and ' in others else 's'} {name(edit.into)}"
        case Split():
            parts = " and ".join(f"'{part.name}'" for part in edit.parts)
            return f"{name(edit.category_id)} is split into {parts}"
        case Add():
            return f"'{edit.name}' is new in {place(edit.parent)}"
        case Group():
            return f"'{edit.name}' is a new group in {place(edit.parent)}"
        case Remove():
            return f"{name(edit.category_id)} is removed"

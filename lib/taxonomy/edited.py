"""A taxonomy with some edits: its tree, what becomes of each category, and the file of it."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from lib.errors import InputError
from lib.taxonomy.migration import migrate
from lib.taxonomy.replaces import Replaces
from lib.taxonomy.taxonomy import Category, Taxonomy, parse_taxonomy


@dataclass(frozen=True)
class Edited:
    """A taxonomy with some edits.

    Attributes:
        base: as it was before.
        categories: as they are now, by id; those of one group in their order.
        groups: ids of what holds categories, and has no items of its own.
        becomes: by leaf of `base`, what its items may be; nothing is anything.
        added: leaves to which items of any other may belong.
        examples: items of each new leaf, by its id.
    """

    base: Taxonomy
    categories: dict[str, Category]
    groups: frozenset[str]
    becomes: dict[str, tuple[str, ...]]
    added: tuple[str, ...] = ()
    examples: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, base: Taxonomy) -> "Edited":
        """Return a taxonomy without any edit."""
        return cls(
            base=base,
            categories=dict(base.by_id),
            groups=frozenset(base.by_id) - set(base.leaves),
            becomes={leaf: (leaf,) for leaf in base.leaves},
        )

    @cached_property
    def names(self) -> dict[str, str]:
        """Names by id."""
        return {each: category.name for each, category in self.categories.items()}

    def below(self, parent: str | None) -> list[Category]:
        """Return what is right below a group, or at the top."""
        return [each for each in self.categories.values() if each.parent == parent]

    def above(self, category_id: str | None) -> Iterator[str]:
        """Yield a category, and the ids above it."""
        while category_id is not None:
            yield category_id
            category_id = self.categories[category_id].parent

    def in_order(self, parent: str | None = None) -> Iterator[Category]:
        """Yield what is below a group, each before what is below it."""
        for each in self.below(parent):
            yield each
            yield from self.in_order(each.category_id)

    @property
    def groups_in_order(self) -> list[Category]:
        """What can hold categories, as the tree has it."""
        return [each for each in self.in_order() if each.category_id in self.groups]

    @property
    def leaves_in_order(self) -> list[Category]:
        """What items can have, as the tree has it."""
        return [each for each in self.in_order() if each.category_id not in self.groups]

    def path(self, category_id: str) -> str:
        """Return the names from the top to a category, joined by ' > '."""
        return " > ".join(self.names[each] for each in reversed(list(self.above(category_id))))

    @property
    def problems(self) -> list[str]:
        """What keeps it from being used yet."""
        empty = [each for each in self.categories if each in self.groups and not self.below(each)]
        found = [
            f"'{self.names[each]}' has no category in it: move one into it, or remove it"
            for each in empty
        ]
        if len(self.categories) - len(self.groups & set(self.categories)) < 2:
            found.append("a taxonomy needs at least two categories that items can have")
        return found


def finished(found: Edited, version: str) -> Taxonomy:
    """Return the new taxonomy, with what it replaces.

    Raises:
        InputError: it cannot be used yet; says what is missing.
    """
    if found.problems:
        raise InputError("; ".join(found.problems))
    old, categories = found.base, tuple(found.in_order())
    if categories == tuple(Edited.of(old).in_order()):
        raise InputError("nothing is changed yet")
    now = {each.category_id: each for each in categories}
    merged: dict[str, tuple[str, ...]] = {}
    for leaf, news in found.becomes.items():
        if len(news) == 1 and [n == news for n in found.becomes.values()].count(True) > 1:
            merged[news[0]] = (*merged.get(news[0], ()), leaf)
    replaces = Replaces(
        version=old.version,
        moved=tuple(
            each for each in old.by_id if each in now and now[each].parent != old.by_id[each].parent
        ),
        merged=merged,
        split={leaf: news for leaf, news in found.becomes.items() if len(news) > 1},
        added=found.added,
        removed=tuple(
            each for each in old.by_id if each not in now and not found.becomes.get(each)
        ),
    )
    made = Taxonomy(version, categories, replaces)
    # what is written is what will be read
    made = parse_taxonomy(made.to_yaml(), "the new taxonomy")
    migrate([old, made])
    return made


def examples_of(found: Edited) -> list[tuple[str, str]]:
    """Return the examples of new categories as rows: item id and category id."""
    return [(item, category) for category, items in found.examples.items() for item in items]


def next_version(version: str, taken: Collection[str]) -> str:
    """Return the version after one, as `8` after `7` and `1.11` after `1.10`, that none has had."""
    while version in taken:
        number = re.search(r"\d+$", version)
        version = f"{version[: number.start()]}{int(number[0]) + 1}" if number else f"{version}-2"
    return version

"""Migrations: what becomes of each category of an old taxonomy in a new one."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lib.errors import InputError
from lib.hashing import digest_json
from lib.taxonomy.replaces import Replaces
from lib.taxonomy.taxonomy import Taxonomy, parse_taxonomy


@dataclass(frozen=True)
class Migration:
    """The map from an old taxonomy to a new one, however many versions lie between.

    Attributes:
        old: the taxonomy that is replaced.
        new: the one that replaces it.
        destinies: by old leaf, the new leaves that its items may be: one is a rule, several need
            the model, and none means that the items may be anything.
        added: new leaves to which items of any old leaf may belong.
    """

    old: Taxonomy
    new: Taxonomy
    destinies: dict[str, tuple[str, ...]]
    added: tuple[str, ...]

    @cached_property
    def certain(self) -> dict[str, str]:
        """Old leaves of which a label maps without doubt, and what it becomes."""
        return {old: news[0] for old, news in self.destinies.items() if len(news) == 1}

    @cached_property
    def heirs(self) -> dict[str, str]:
        """By old category, the new one that stands for all that it did, and for nothing else."""
        heir = {leaves: name for name, leaves in reversed(self.new.leaves_below.items())}
        found: dict[str, str] = {}
        for category, leaves in self.old.leaves_below.items():
            if leaves <= self.certain.keys():
                reached = frozenset(self.certain[leaf] for leaf in leaves)
                sources = {old for old, new in self.certain.items() if new in reached}
                if reached in heir and sources == leaves:
                    found[category] = heir[reached]
        return found

    @cached_property
    def by_rule(self) -> dict[str, str]:
        """Old leaves whose rows are relabelled by rule alone; none where a category is added."""
        return {} if self.added else self.certain

    @cached_property
    def for_model(self) -> tuple[str, ...]:
        """Old leaves whose rows need the model."""
        return tuple(old for old in self.old.leaves if old not in self.by_rule)

    @cached_property
    def without_examples(self) -> tuple[str, ...]:
        """New leaves of which no old label is an example for certain."""
        known = set(self.certain.values())
        return tuple(leaf for leaf in self.new.leaves if leaf not in known)

    @cached_property
    def settled(self) -> frozenset[str]:
        """Old categories, leaves and above, whose leaves are all relabelled by rule."""
        above = {c for leaf in self.for_model for c in (leaf, *self.old.ancestors(leaf))}
        return frozenset(self.old.by_id) - above

    @cached_property
    def allowed(self) -> dict[str, frozenset[str]]:
        """By old category, leaf or above, the new ones its items may get, above leaves too."""
        found: dict[str, set[str]] = {}
        for leaf, news in self.destinies.items():
            reached = {*news, *self.added} if news else set(self.new.leaves)
            whole = reached.union(*(self.new.ancestors(each) for each in reached))
            for category in (leaf, *self.old.ancestors(leaf)):
                found.setdefault(category, set()).update(whole)
        return {category: frozenset(reached) for category, reached in found.items()}

    @property
    def stays(self) -> bool:
        """Whether the table stays in its taxonomy, as `within` makes it."""
        return self.old.digest == self.new.digest

    @property
    def digest(self) -> str:
        """sha256 hex of both taxonomies and of the map."""
        return digest_json([self.old.digest, self.new.digest, self.destinies, self.added])

    def to_json(self) -> dict[str, Any]:
        """Return the migration as a file holds it."""
        return {
            "old_version": self.old.version,
            "new_version": self.new.version,
            "by_rule": self.by_rule,
            "for_model": {old: self.destinies[old] for old in self.for_model},
            "added": self.added,
            "without_examples": self.without_examples,
        }

    def to_record(self) -> dict[str, Any]:
        """Return all of the migration, as `from_record` reads it."""
        return {
            "old": self.old.to_yaml(),
            "new": self.new.to_yaml(),
            "destinies": self.destinies,
            "added": self.added,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any], source: str) -> "Migration":
        """Read what `to_record` has given."""
        return cls(
            parse_taxonomy(record["old"], source),
            parse_taxonomy(record["new"], source),
            {old: tuple(news) for old, news in record["destinies"].items()},
            tuple(record["added"]),
        )


def within(taxonomy: Taxonomy) -> Migration:
    """Return the migration of a table that stays in its taxonomy, for a head to decide anew."""
    return Migration(taxonomy, taxonomy, dict.fromkeys(taxonomy.leaves, ()), ())


def migrate(taxonomies: Sequence[Taxonomy]) -> Migration:
    """Compose the changes from the first taxonomy to the last; each replaces the one before it.

    Raises:
        InputError: one does not follow the other, or leaves a category without a destiny.
    """
    first, *following = taxonomies
    whole = Migration(first, first, {leaf: (leaf,) for leaf in first.leaves}, ())
    for taxonomy in following:
        whole = _compose(whole, _step(whole.new, taxonomy))
    return whole


def _compose(first: Migration, second: Migration) -> Migration:
    def onward(leaves: Sequence[str]) -> tuple[str, ...]:
        reached = [second.destinies[leaf] for leaf in leaves]
        # where one part may be anything, so may the whole
        return tuple(dict.fromkeys(n for news in reached for n in news)) if all(reached) else ()

    added = [new for leaf in first.added for new in second.destinies[leaf]]
    return Migration(
        first.old,
        second.new,
        {old: onward(news) for old, news in first.destinies.items()},
        tuple(dict.fromkeys([*added, *second.added])),
    )


def _step(old: Taxonomy, new: Taxonomy) -> Migration:
    replaces = new.replaces
    if replaces is None:
        raise InputError(
            f"taxonomy version {new.version} does not say what it replaces; give it 'replaces: "
            f'{{version: "{old.version}"}}\' and what becomes of the categories'
        )
    if replaces.version != old.version:
        raise InputError(
            f"taxonomy version {new.version} replaces version {replaces.version}, not "
            f"{old.version}; name the taxonomies that lie between"
        )
    said = dict(replaces.destinies)
    _check_ids(old, new, replaces)
    _check_becomes(old, new, replaces)
    destinies = {leaf: said.get(leaf, (leaf,)) for leaf in old.leaves}
    for leaf, news in destinies.items():
        for each in news:
            _check_destiny(leaf, each, new, named=leaf in said)
    reached = {each for news in destinies.values() for each in news}
    if lost := [leaf for leaf in new.leaves if leaf not in reached | set(replaces.added)]:
        raise InputError(
            f"taxonomy version {new.version}: no category of version {old.version} becomes "
            f"'{lost[0]}'; name it under 'added', or as what another becomes"
        )
    return Migration(old, new, destinies, replaces.added)


def _check_ids(old: Taxonomy, new: Taxonomy, replaces: Replaces) -> None:
    where = f"taxonomy version {new.version}: 'replaces'"
    named = [*replaces.moved, *(each for each, _ in replaces.destinies)]
    if unknown := [each for each in named if each not in old.by_id]:
        raise InputError(
            f"{where} names '{unknown[0]}', but version {old.version} has no such category"
        )
    for each in replaces.moved:
        if each not in new.by_id or new.by_id[each].parent == old.by_id[each].parent:
            raise InputError(f"{where} says that '{each}' is moved, but its parent is the same")
    for each in replaces.removed:
        if each in new.by_id:
            raise InputError(f"{where} says that '{each}' is removed, but it is there")
    for each in replaces.added:
        if each not in new.leaves or each in old.by_id:
            raise InputError(
                f"{where} says that '{each}' is added; expected a new category without any below"
            )


def _check_becomes(old: Taxonomy, new: Taxonomy, replaces: Replaces) -> None:
    where = f"taxonomy version {new.version}: 'replaces'"
    for each, news in replaces.destinies:
        if each not in old.leaves and each not in replaces.renamed and each not in replaces.removed:
            raise InputError(
                f"{where}: '{each}' has categories below it; say of each what becomes of it"
            )
        if missing := [n for n in news if n not in new.by_id]:
            raise InputError(
                f"{where} says that '{each}' becomes '{missing[0]}', which is not there"
            )


def _check_destiny(old: str, new: str, taxonomy: Taxonomy, *, named: bool) -> None:
    if new not in taxonomy.by_id:
        raise InputError(
            f"taxonomy version {taxonomy.version} does not say what becomes of '{old}', which it "
            "no longer has; name it below 'replaces', as renamed, merged, split or removed"
        )
    if new not in taxonomy.leaves:
        what = f"says that '{old}' becomes '{new}', which has" if named else f"gives '{old}'"
        raise InputError(
            f"taxonomy version {taxonomy.version} {what} categories below it; items are labelled "
            "with leaves: say under 'split' which of them"
        )


def describe(migration: Migration) -> list[str]:
    """Say of each old category, in a line, what becomes of it, and what is needed for that."""
    old, new = migration.old, migration.new
    lines = [f"version {old.version} to {new.version}:"]
    for leaf, becomes in migration.by_rule.items():
        if leaf != becomes or old.path(leaf) != new.path(becomes):
            lines.append(f"  by rule: {leaf} ({old.path(leaf)}) -> {becomes} ({new.path(becomes)})")
    unchanged = sum(
        leaf == becomes and old.path(leaf) == new.path(becomes)
        for leaf, becomes in migration.by_rule.items()
    )
    if unchanged:
        stay = "1 category stays as it is"
        if unchanged > 1:
            stay = f"{unchanged:,} categories stay as they are"
        lines.append(f"  {stay}")
    for leaf in migration.for_model:
        news = migration.destinies[leaf]
        becomes = " or ".join(news) if news else "whatever the model says"
        also = f", or {' or '.join(migration.added)}" if news and migration.added else ""
        lines.append(f"  by the model: {leaf} -> {becomes}{also}")
    needed = [
        f"  needs new examples: {leaf} ({new.path(leaf)})" for leaf in migration.without_examples
    ]
    return [*lines, *needed]

"""Comparing taxonomies: what a change settles by rule, and what it asks of a person."""

import json
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from lib.reports.formats import count
from lib.storage.storage import Storage
from lib.taxonomy.migration import Migration, migrate
from lib.taxonomy.taxonomy import read_taxonomy


def diff(sources: Sequence[str], storage: Storage, say: Callable[[str], None]) -> Migration:
    """Print the migration from the first taxonomy to the last, and write it beside the last.

    Args:
        sources: paths or URIs of taxonomy files, the oldest first.
        storage: how to reach them.
        say: takes each line for the person who waits.

    Raises:
        InputError: a file cannot be used, does not follow the one before it, or leaves a category
            without a destiny.
    """
    migration = migrate([read_taxonomy(source, storage) for source in sources])
    for line in describe(migration):
        say(line)
    target = str(sources[-1]).removesuffix(PurePosixPath(sources[-1]).suffix) + ".migration.json"
    storage.write(target, json.dumps(migration.to_json(), indent=2, ensure_ascii=False).encode())
    say(f"migration: {target}")
    return migration


def describe(migration: Migration) -> list[str]:
    """Say of each old category what becomes of it, and what is needed for that."""
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
        lines.append(f"  as they are: {count(unchanged)}")
    for leaf in migration.for_model:
        news = migration.destinies[leaf]
        becomes = " or ".join(news) if news else "whatever the model says"
        also = f", or {' or '.join(migration.added)}" if news and migration.added else ""
        lines.append(f"  by the model: {leaf} -> {becomes}{also}")
    needed = [
        f"  needs new examples: {leaf} ({new.path(leaf)})" for leaf in migration.without_examples
    ]
    return [*lines, *needed]

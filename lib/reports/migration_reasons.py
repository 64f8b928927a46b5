"""Why a backfill has moved the items of a category, or left them, in a few words."""

from collections.abc import Sequence

from lib.taxonomy.migration import Migration

NAMED = 3  # categories that a reason names


def reason_of(migration: Migration, was: str | None, becomes: str, *, same_path: bool) -> str:
    """Say why items of one category have become another's.

    Args:
        migration: from the old taxonomy to the new one.
        was: id of the old category, or None for an error.
        becomes: id of the new one.
        same_path: whether name and place in the tree are as they were.
    """
    if was is None:
        return "the model: it was an error"
    if migration.stays:
        return "the model: another head"
    if was in migration.settled:
        return f"a rule: {_rule(migration, was, becomes, same_path=same_path)}"
    return f"the model: {_question(migration, was)}"


def _rule(migration: Migration, was: str, becomes: str, *, same_path: bool) -> str:
    if was not in migration.destinies:
        return "all categories below it are settled"
    if becomes not in migration.destinies[was]:
        return "with its categories merged, another is likelier"
    alike = [old for old, news in migration.destinies.items() if news == (becomes,) and old != was]
    if alike:
        return f"merged with {_names(migration, alike, old=True)}"
    if was != becomes:
        return f"'{was}' is now '{becomes}'"
    return "kept as it was" if same_path else "its name or its place in the tree has changed"


def _question(migration: Migration, was: str) -> str:
    news = migration.destinies.get(was)
    if news is None:
        return "not all categories below it are settled"
    if not news:
        return "removed, so its items may be anything"
    if len(news) > 1:
        return f"split into {_names(migration, news, old=False)}"
    return f"new categories may take its items: {_names(migration, migration.added, old=False)}"


def _names(migration: Migration, ids: Sequence[str], *, old: bool) -> str:
    taxonomy = migration.old if old else migration.new
    named = [taxonomy.by_id[each].name for each in ids[:NAMED]]
    return ", ".join(named) + (f" and {len(ids) - NAMED:,} more" if len(ids) > NAMED else "")

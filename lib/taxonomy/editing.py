"""Edits applied to a taxonomy, each checked, and refused in words."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from lib.errors import InputError
from lib.taxonomy.edited import Edited
from lib.taxonomy.edits import (
    LEAST_EXAMPLES,
    Add,
    Edit,
    Group,
    Merge,
    Move,
    Part,
    Remove,
    Rename,
    Split,
    words_of,
)
from lib.taxonomy.ids import nfc
from lib.taxonomy.taxonomy import Category, Taxonomy

NAME_LETTERS = 100


def edited(base: Taxonomy, edits: Iterable[Edit]) -> Edited:
    """Apply edits to a taxonomy, one after the other.

    Raises:
        InputError: one cannot be made; says which, and why.
    """
    found = Edited.of(base)
    for each in edits:
        try:
            found = apply(found, each)
        except InputError as error:
            raise InputError(f"{words_of(each, found.names)}: {error}") from None
    return found


def described(base: Taxonomy, edits: Sequence[Edit]) -> list[str]:
    """Say of each edit what it does, in the words of the tree before it."""
    lines, found = [], Edited.of(base)
    for each in edits:
        lines.append(words_of(each, found.names))
        found = apply(found, each)
    return lines


def apply(found: Edited, edit: Edit) -> Edited:  # noqa: PLR0911  # one per kind of edit
    """Apply one edit.

    Raises:
        InputError: it cannot be made.
    """
    match edit:
        case Rename():
            category = _known(found, edit.category_id)
            name = _name(found, edit.name, category.parent, but=edit.category_id)
            return _with(found, replace(category, name=name))
        case Move():
            return _move(found, edit)
        case Merge():
            return _merge(found, edit)
        case Split():
            return _split(found, edit)
        case Add():
            _group(found, edit.parent)
            found = _with(found, _new(found, edit.category_id, edit.name, edit.parent))
            examples = _examples(found, [(edit.category_id, edit.name, edit.examples)])
            added = (*found.added, edit.category_id)
            return replace(found, added=added, examples=found.examples | examples)
        case Group():
            _group(found, edit.parent)
            made = _with(found, _new(found, edit.category_id, edit.name, edit.parent))
            return replace(made, groups=found.groups | {edit.category_id})
        case Remove():
            return _remove(found, edit.category_id)


def _move(found: Edited, edit: Move) -> Edited:
    category = _known(found, edit.category_id)
    _group(found, edit.parent)
    if edit.category_id in found.above(edit.parent):
        raise InputError("a group cannot be moved into itself")
    if category.parent == edit.parent:
        raise InputError("it is there already")
    _name(found, category.name, edit.parent)
    # the last of its new group
    rest = {each: c for each, c in found.categories.items() if each != edit.category_id}
    moved = {edit.category_id: replace(category, parent=edit.parent)}
    return replace(found, categories=rest | moved)


def _merge(found: Edited, edit: Merge) -> Edited:
    _old_leaf(found, edit.into)
    gone = dict.fromkeys(each for each in edit.category_ids if each != edit.into)
    if not gone:
        raise InputError("choose at least one other category")
    for each in gone:
        _old_leaf(found, each)
    becomes = {
        leaf: tuple(dict.fromkeys(edit.into if each in gone else each for each in news))
        for leaf, news in found.becomes.items()
    }
    return replace(_without(found, gone), becomes=becomes)


def _split(found: Edited, edit: Split) -> Edited:
    category = _old_leaf(found, edit.category_id)
    if len(edit.parts) < 2:
        raise InputError("a category is split into at least two")
    examples = _examples(
        found, [(part.category_id, part.name, part.examples) for part in edit.parts]
    )
    ids = tuple(part.category_id for part in edit.parts)
    becomes = {
        leaf: tuple(n for each in news for n in (ids if each == edit.category_id else (each,)))
        for leaf, news in found.becomes.items()
    }
    parent = edit.category_id if edit.below else category.parent
    groups = found.groups | {edit.category_id} if edit.below else found.groups
    # a part may have the name of what is split
    left = found if edit.below else _without(found, [edit.category_id])
    made = left
    for part in edit.parts:
        made = _with(made, _new(made, part.category_id, part.name, parent, found))
    order = _in_place(found, edit.category_id, edit.parts, below=edit.below)
    return replace(
        made,
        categories={each: made.categories[each] for each in order},
        groups=groups,
        becomes=becomes,
        examples=found.examples | examples,
    )


def _in_place(found: Edited, split: str, parts: Sequence[Part], *, below: bool) -> Iterator[str]:
    for each in found.categories:
        if each != split or below:
            yield each
        if each == split:
            yield from (part.category_id for part in parts)


def _remove(found: Edited, category_id: str) -> Edited:
    category = _known(found, category_id)
    if category_id in found.groups:
        left = _without(found, [category_id])
        for child in found.below(category_id):
            _name(left, child.name, category.parent, but=child.category_id)
            left = _with(left, replace(child, parent=category.parent))
        return replace(left, groups=found.groups - {category_id})
    _old_leaf(found, category_id)
    becomes = {leaf: () if category_id in news else news for leaf, news in found.becomes.items()}
    return replace(_without(found, [category_id]), becomes=becomes)


def _known(found: Edited, category_id: str) -> Category:
    if category_id not in found.categories:
        raise InputError("there is no such category any more")
    return found.categories[category_id]


def _old_leaf(found: Edited, category_id: str) -> Category:
    category = _known(found, category_id)
    if category_id in found.groups:
        raise InputError(
            f"'{category.name}' is a group; do it with the categories in it, one by one"
        )
    if category_id not in found.becomes:
        raise InputError(
            f"'{category.name}' is new in this draft; take back the change that made it instead"
        )
    return category


def _group(found: Edited, parent: str | None) -> None:
    if parent is None:
        return
    category = _known(found, parent)
    if parent not in found.groups:
        raise InputError(
            f"'{category.name}' has items of its own, so no category can be put into it; choose a "
            "group, or split it"
        )


def _name(found: Edited, name: str, parent: str | None, but: str | None = None) -> str:
    name = nfc(" ".join(name.split()))
    if not name or len(name) > NAME_LETTERS:
        raise InputError(f"a name has 1 to {NAME_LETTERS} letters")
    if any(c.name == name for c in found.below(parent) if c.category_id != but):
        raise InputError(f"there is a '{name}' already in the same place")
    return name


def _new(
    found: Edited, category_id: str, name: str, parent: str | None, before: Edited | None = None
) -> Category:
    if category_id in (before or found).categories or category_id in found.base.by_id:
        raise InputError(f"the id '{category_id}' is taken; choose another name")
    return Category(category_id, _name(found, name, parent), parent)


def _examples(
    found: Edited, wanted: Sequence[tuple[str, str, tuple[str, ...]]]
) -> dict[str, tuple[str, ...]]:
    taken = {item for items in found.examples.values() for item in items}
    for _, name, items in wanted:
        if len(set(items)) < LEAST_EXAMPLES:
            raise InputError(
                f"'{name}' needs at least {LEAST_EXAMPLES} photos; it has {len(set(items))}"
            )
        if taken & set(items):
            raise InputError(f"a photo of '{name}' was picked for another category as well")
        taken |= set(items)
    return {category: tuple(dict.fromkeys(items)) for category, _, items in wanted}


def _with(found: Edited, category: Category) -> Edited:
    return replace(found, categories=found.categories | {category.category_id: category})


def _without(found: Edited, gone: Collection[str]) -> Edited:
    left = {each: category for each, category in found.categories.items() if each not in gone}
    return replace(found, categories=left)

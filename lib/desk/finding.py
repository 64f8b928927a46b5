"""Finding a category by what somebody types: its name, words of its path, its id, or nearly so."""

import unicodedata

from rapidfuzz import fuzz, process

from lib.errors import InputError
from lib.taxonomy.taxonomy import Taxonomy

LEAST_ALIKE = 70  # of 100, where no category has all words


def find_categories(taxonomy: Taxonomy, text: str, most: int) -> list[str]:
    """Return the ids of the categories that items can have and that a text may mean, best first.

    A category counts where its path or its id has all words of the text, in any order; what begins
    with the text comes first. Where there is none, those whose names are most alike.

    Args:
        taxonomy: whose leaves are searched.
        text: as typed; of an empty one, the first categories.
        most: ids.
    """
    words = plain(text).split()
    typed = " ".join(words)
    found = []
    for place, leaf in enumerate(taxonomy.leaves):
        path, name = plain(taxonomy.path(leaf)), plain(taxonomy.by_id[leaf].name)
        said = f"{path} {plain(leaf)}"
        if all(word in said for word in words):
            rank = (
                typed not in (name, plain(leaf)),
                not name.startswith(typed),
                not any(each.startswith(words[0]) for each in name.split()) if words else False,
                not all(word in name for word in words),
            )
            found.append((rank, place, leaf))
    if found:
        return [leaf for *_, leaf in sorted(found)[:most]]
    names = {leaf: plain(taxonomy.by_id[leaf].name) for leaf in taxonomy.leaves}
    close = process.extract(typed, names, scorer=fuzz.WRatio, limit=most, score_cutoff=LEAST_ALIKE)
    return [leaf for _, _, leaf in close]


def named(taxonomy: Taxonomy, text: str) -> str:
    """Return the id of the category without others below it that a text names.

    Args:
        taxonomy: of the table.
        text: its id, its path or its name, as a person wrote it.

    Raises:
        InputError: there is no such category, or several.
    """
    text = text.strip()
    if not text:
        raise InputError("say which category")
    if text in taxonomy.leaves:
        return text
    for of in (taxonomy.path, lambda each: taxonomy.by_id[each].name):
        found = [each for each in taxonomy.leaves if of(each).lower() == text.lower()]
        if len(found) == 1:
            return found[0]
        if found:
            paths = ", ".join(taxonomy.path(each) for each in found)
            raise InputError(
                f"'{text}' is the name of {len(found)} categories ({paths}); say which"
            )
    inner = text in taxonomy.by_id or any(
        text.lower() in (taxonomy.path(each).lower(), taxonomy.by_id[each].name.lower())
        for each in taxonomy.by_id
    )
    if inner:
        raise InputError(f"'{text}' has categories below it; choose one of these")
    raise InputError(f"'{text}': the taxonomy has no such category")


def plain(text: str) -> str:
    """Return a text without case and accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in parts if not unicodedata.combining(each))

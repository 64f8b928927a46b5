"""Finding a category by what somebody types: words of its path, its id, or nearly so."""

import unicodedata

from rapidfuzz import fuzz, process

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


def plain(text: str) -> str:
    """Return a text without case and accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in parts if not unicodedata.combining(each))

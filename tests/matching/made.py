"""Small catalogs of made-up products, each with variants of its title."""

import random

import numpy as np
import pyarrow as pa

from lib.embeddings.store import Embeddings
from lib.matching.name_table import read_names
from lib.matching.side import Side

BRANDS = ("Acme", "Bolt", "Corvo", "Dalia", "Ekon", "Fjord", "Gusto", "Halden")
THINGS = ("shampoo", "soap", "kettle", "lamp", "chair", "backpack", "tripod", "mixer", "mug")
KINDS = ("classic", "lemon", "travel", "steel", "oak", "mini", "pro", "family", "summer")
NOISE = ("new", "sale", "free", "original", "with", "best")


def products(count: int, seed: int = 0) -> list[str]:
    """Return titles of so many distinct products."""
    dice = random.Random(seed)  # noqa: S311  # must repeat
    found: dict[str, None] = {}
    while len(found) < count:
        amount = f"{dice.choice((100, 250, 500, 750))} ml"
        model = f"{dice.choice('XKQ')}{dice.choice('RTZ')}-{dice.randrange(100, 9_999)}"
        words = [dice.choice(BRANDS), dice.choice(KINDS), dice.choice(THINGS), model, amount]
        found[" ".join(words)] = None
    return list(found)


def variant(title: str, seed: int) -> str:
    """Return how another shop writes a title."""
    dice = random.Random(seed)  # noqa: S311  # must repeat
    brand, *rest = title.replace("-", dice.choice(("-", ""))).split()
    rest.insert(dice.randrange(len(rest)), dice.choice(NOISE))
    return f"{brand.upper()} {' '.join(rest)}".replace(" ml", "ml")


def side(titles: list[str], vectors: Embeddings | None = None) -> Side:
    """Return items i0, i1, … of these titles, and of embeddings where they are given."""
    ids = [f"i{place}" for place in range(len(titles))]
    items = pa.table({"item_id": ids, "uri": ids, "category_id": pa.nulls(len(ids), pa.string())})
    if vectors is None:
        vectors, place = np.empty((0, 0), np.float16), np.full(len(ids), -1)
    else:
        place = np.arange(len(ids))
    return Side(items=items, names=read_names(titles), vectors=vectors, place=place)

"""Titles of made-up products, and how another shop writes them."""

import random
from collections.abc import Iterator

SYLLABLES = [
    "ba",
    "be",
    "co",
    "da",
    "el",
    "fi",
    "go",
    "hal",
    "in",
    "jo",
    "ka",
    "lu",
    "ma",
    "no",
    "or",
    "pa",
    "que",
    "ri",
    "sol",
    "ta",
    "ur",
    "vi",
    "wen",
    "xa",
    "yo",
    "zen",
]
THINGS = [
    "shampoo",
    "soap",
    "kettle",
    "lamp",
    "chair",
    "backpack",
    "tripod",
    "mixer",
    "blender",
    "mug",
    "pan",
    "knife",
    "towel",
    "pillow",
    "blanket",
    "desk",
    "shelf",
    "mirror",
    "clock",
    "radio",
    "camera",
    "printer",
    "router",
    "keyboard",
    "mouse",
    "monitor",
    "speaker",
    "charger",
    "cable",
    "battery",
    "drill",
    "hammer",
    "saw",
    "wrench",
    "ladder",
    "tent",
    "stove",
    "bottle",
    "jacket",
    "shirt",
    "dress",
    "shoe",
    "boot",
    "sandal",
    "scarf",
    "glove",
    "hat",
    "belt",
    "wallet",
    "watch",
    "ring",
    "necklace",
    "perfume",
    "lotion",
    "cream",
    "toothbrush",
    "razor",
    "dryer",
    "iron",
    "vacuum",
    "fan",
    "heater",
    "cooler",
    "freezer",
    "oven",
    "toaster",
    "grill",
    "rack",
    "basket",
    "box",
    "bin",
    "brush",
    "sponge",
]
KINDS = [
    "classic",
    "travel",
    "mini",
    "pro",
    "family",
    "summer",
    "outdoor",
    "compact",
    "deluxe",
    "basic",
    "premium",
    "slim",
    "soft",
    "hard",
    "portable",
    "wireless",
    "digital",
    "electric",
    "manual",
    "foldable",
    "waterproof",
    "organic",
    "natural",
    "steel",
    "oak",
    "glass",
    "cotton",
    "leather",
    "wool",
    "ceramic",
    "copper",
    "bamboo",
    "kids",
    "men",
    "women",
    "baby",
    "sport",
    "office",
    "garden",
    "kitchen",
]
COLOURS = ["black", "white", "grey", "silver", "red", "blue", "green", "yellow", "pink", "brown"]
AMOUNTS = [f"{n} ml" for n in (50, 100, 250, 330, 500, 750)] + [
    f"{n} cm" for n in (10, 20, 40, 60, 80, 120)
]
NOISE = [
    "new",
    "original",
    "free",
    "shipping",
    "best",
    "sale",
    "genuine",
    "official",
    "with",
    "for",
    "set",
]


def titles(count: int, seed: int) -> Iterator[str]:
    """Yield so many titles; hardly two are one product."""
    dice = random.Random(seed)  # noqa: S311  # must repeat
    brands = ["".join(dice.choices(SYLLABLES, k=3)) for _ in range(2_000)]
    for _ in range(count):
        words = [
            dice.choice(brands),
            dice.choice(KINDS),
            dice.choice(KINDS),
            dice.choice(THINGS),
            dice.choice(COLOURS),
            dice.choice(AMOUNTS),
        ]
        if dice.random() < 0.6:
            letters = "".join(dice.choices("abcdefghkmnprstuvwx", k=2))
            words.insert(4, f"{letters}-{dice.randrange(10, 99_999)}")
        yield " ".join(words)


def variant(title: str, dice: random.Random) -> str:
    """Return how another shop writes a title: words moved, dropped and added, other units."""
    words = title.split()
    unit, amount = words.pop(), float(words.pop())
    words = [word.replace("-", "") if dice.random() < 0.5 else word for word in words]
    if dice.random() < 0.5:
        words.remove(dice.choice([word for word in words if word in KINDS]))
    if dice.random() < 0.7:
        words.insert(dice.randrange(1, len(words)), dice.choice(NOISE))
    if dice.random() < 0.3:
        first, second = dice.sample(range(1, len(words)), 2)
        words[first], words[second] = words[second], words[first]
    larger = {"ml": ("l", 1_000), "cm": ("m", 100)}[unit]
    shown = f"{amount:g}{unit}" if dice.random() < 0.7 else f"{amount / larger[1]:g} {larger[0]}"
    return f"{' '.join(words)} {shown}".title()

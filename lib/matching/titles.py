"""What a title says: its words, and the facts in which two titles may contradict each other."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from lib.matching.quantities import take_amounts, to_number, written

LONGEST: Final = 512  # letters of a title that are looked at: more is a description, and costs time

_JOINED: Final = re.compile(r"\w+(?:[-/]\w+)+")
_WORD: Final = re.compile(r"\d+(?:\.\d+)?(?!\w)|\w+")
_DECIMAL: Final = re.compile(r"\d+(?:[.,]\d+)*")
_SPACED_POINT: Final = re.compile(r"(?<=\d) \. (?=\d)")
# marks over and under letters, as of Latin, Greek and Cyrillic; those of other scripts are letters
_MARKS: Final = re.compile("[\u0300-\u036f]")
_COLOURS: Final = {
    word: colour
    for colour, words in {
        "black": "black schwarz noir negro nero zwart blk",
        "white": "white weiss weiß blanc blanco bianco wit wht",
        "grey": "grey gray grau gris grigio grijs graphite anthracite charcoal",
        "silver": "silver silber argent plata argento slv",
        "gold": "gold golden or oro",
        "red": "red rot rouge rojo rosso rood",
        "blue": "blue blau bleu azul blu blauw navy",
        "green": "green grün gruen vert verde groen",
        "yellow": "yellow gelb jaune amarillo giallo geel",
        "orange": "orange naranja arancione oranje",
        "pink": "pink rosa rose roze",
        "purple": "purple lila violet violett viola paars",
        "brown": "brown braun brun marron marrone bruin",
        "beige": "beige cream ivory",
        "turquoise": "turquoise türkis teal",
    }.items()
    for word in words.split()
}
_SIZES: Final = {size: size for size in ("xxs", "xs", "xl", "xxl", "xxxl")} | {
    "2xl": "xxl",
    "3xl": "xxxl",
    "4xl": "4xl",
    "5xl": "5xl",
    "small": "s",
    "medium": "m",
    "large": "l",
}
_SHORT_SIZE: Final = re.compile(
    r"(?:\bsize|\bgr|\bgroesse|\bgrosse|[(/,-])[ :.]*(s|m|l)\b|\b(s|m|l)$"
)


@dataclass(frozen=True, slots=True)
class Title:
    """A title, read.

    Attributes:
        text: its words, normalised, in order, with one blank between two; empty where it says
            nothing.
        words: the same, each once.
        models: words that look like a model's or a part's number, without hyphens.
        numbers: numbers that are no part of anything else.
        amounts: as `volume:250`, in one unit for each dimension.
        dimensions: of the amounts.
        colours: in one language.
        sizes: of clothes.
    """

    text: str
    words: frozenset[str]
    models: frozenset[str]
    numbers: frozenset[str]
    amounts: frozenset[str]
    dimensions: frozenset[str]
    colours: frozenset[str]
    sizes: frozenset[str]


def normalised(text: str) -> str:
    """Fold a title: one form of each letter, no case, no marks, no invisible letters.

    Width, ligatures and superscripts are folded (NFKC), and what turns the direction of a text or
    joins emoji is left out. No more than `LONGEST` letters are kept.
    """
    if text.isascii():
        return " ".join(text[: 2 * LONGEST].lower().split())[:LONGEST]
    folded = unicodedata.normalize("NFKD", text[: 2 * LONGEST]).casefold()
    folded = _MARKS.sub("", folded)
    folded = unicodedata.normalize("NFKC", folded)
    seen = "".join(c for c in folded if unicodedata.category(c) not in ("Cf", "Cs", "Co", "Cn"))
    plain = seen.translate(_QUOTES)
    return " ".join(plain.split())[:LONGEST]


_QUOTES: Final = str.maketrans("\u2019\u2018\u201d\u201c\u2033\u2032", "''\"\"\"'")


def read_title(text: str) -> Title:
    """Read what a title says; any text is one, also an empty one."""
    folded = _SPACED_POINT.sub(".", normalised(text))
    by_dimension, rest = take_amounts(folded)
    joined = _JOINED.findall(rest) if "-" in rest or "/" in rest else ()
    models = {model for each in joined if (model := _model(each))}
    words = [word.strip("_") for word in _WORD.findall(folded)]
    words = [_plain_number(word) for word in words if word]
    numbers = set()
    for word in _WORD.findall(rest):
        if word.isalpha():
            continue
        if model := _model(word):
            models.add(model)
        elif _DECIMAL.fullmatch(word):
            numbers.add(written(to_number(word)))
    return Title(
        text=" ".join(words),
        words=frozenset(words),
        models=frozenset(models),
        numbers=frozenset(numbers),
        amounts=frozenset(f"{kind}:{each}" for kind, of in by_dimension.items() for each in of),
        dimensions=frozenset(by_dimension),
        colours=frozenset(_COLOURS[word] for word in words if word in _COLOURS),
        sizes=_sizes(rest, words),
    )


def _model(word: str) -> str | None:
    """Return a model's number without hyphens: letters and digits, or five digits and more."""
    plain = re.sub(r"[-/_]", "", word)
    digits = sum(map(str.isdigit, plain))
    mixed = digits and digits < len(plain) and len(plain) >= 4
    return plain if mixed or digits >= 5 else None


def _plain_number(word: str) -> str:
    return word.removesuffix(".0") if word[0].isdigit() else word


def _sizes(rest: str, words: list[str]) -> frozenset[str]:
    found = {_SIZES[word] for word in words if word in _SIZES}
    if not found and (short := _SHORT_SIZE.search(rest.rstrip())):
        found.add(short[1] or short[2])
    return frozenset(found)

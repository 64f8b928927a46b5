"""Amounts in titles: 250 ml, 0.25 l and 25 cl are one amount, 500 ml is another."""

import re
from typing import Final

# each unit's dimension, and how many of the dimension's own unit one of it is
_UNITS: Final[dict[str, tuple[str, float]]] = {
    **dict.fromkeys(("ml", "milliliter", "millilitre", "milliliters"), ("volume", 1.0)),
    **dict.fromkeys(("cl", "centiliter", "centilitre"), ("volume", 10.0)),
    **dict.fromkeys(("dl",), ("volume", 100.0)),
    **dict.fromkeys(("l", "ltr", "liter", "litre", "liters", "litres"), ("volume", 1000.0)),
    **dict.fromkeys(("floz",), ("volume", 29.5735)),
    **dict.fromkeys(("gal", "gallon", "gallons"), ("volume", 3785.41)),
    **dict.fromkeys(("cuft",), ("volume", 28316.8)),
    **dict.fromkeys(("mg",), ("mass", 0.001)),
    **dict.fromkeys(("g", "gr", "gram", "grams", "gramm"), ("mass", 1.0)),
    **dict.fromkeys(("kg", "kilo", "kilogram", "kilograms"), ("mass", 1000.0)),
    **dict.fromkeys(("oz", "ounce", "ounces"), ("mass", 28.3495)),
    **dict.fromkeys(("lb", "lbs", "pound", "pounds"), ("mass", 453.592)),
    **dict.fromkeys(("mm",), ("length", 1.0)),
    **dict.fromkeys(("cm",), ("length", 10.0)),
    **dict.fromkeys(("m", "meter", "metre", "meters", "metres"), ("length", 1000.0)),
    **dict.fromkeys(("in", "inch", "inches", '"', "''", "'", "zoll"), ("length", 25.4)),
    **dict.fromkeys(("ft", "foot", "feet"), ("length", 304.8)),
    **dict.fromkeys(("kb",), ("data", 0.001)),
    **dict.fromkeys(("mb", "megabyte", "megabytes"), ("data", 1.0)),
    **dict.fromkeys(("gb", "gigabyte", "gigabytes"), ("data", 1000.0)),
    **dict.fromkeys(("tb", "terabyte", "terabytes"), ("data", 1_000_000.0)),
    **dict.fromkeys(("w", "watt", "watts"), ("power", 1.0)),
    **dict.fromkeys(("kw",), ("power", 1000.0)),
    **dict.fromkeys(("btu",), ("heat", 1.0)),
    **dict.fromkeys(("v", "volt", "volts"), ("voltage", 1.0)),
    **dict.fromkeys(("mah",), ("charge", 1.0)),
    **dict.fromkeys(("ah",), ("charge", 1000.0)),
    **dict.fromkeys(("mhz",), ("frequency", 1.0)),
    **dict.fromkeys(("ghz",), ("frequency", 1000.0)),
    **dict.fromkeys(("mp", "megapixel", "megapixels"), ("pixels", 1.0)),
    **dict.fromkeys(("pack", "pk", "pcs", "pc", "count", "ct", "pieces", "stück"), ("count", 1.0)),
    **dict.fromkeys(("user", "users", "license", "licenses", "seat", "seats"), ("users", 1.0)),
}
_NUMBER: Final = r"(?<![\w.,])(\d{1,9}(?:[.,]\d{1,9})*)"
# any word, which is looked up: ten times faster than one alternative a unit
_AMOUNT: Final = re.compile(rf"{_NUMBER}[ -]?(fl ?\.? ?oz|cu ?\.? ?ft|[^\W\d_]+|''?|\")(?!\w)")
_TIMES: Final = re.compile(r"(?<![\w.,])(\d{1,4})\s?[x\u00d7]\s?(?=\d)")


def to_number(text: str) -> float:
    """Read a number as shops write them: 1.5, 1,5 and 1,000.

    A comma before three digits, and no others, parts thousands; any other one is a decimal comma.
    """
    if "," in text and "." in text:
        last = max(text.rfind(","), text.rfind("."))
        whole, rest = re.sub(r"[.,]", "", text[:last]), text[last + 1 :]
        return float(f"{whole}.{rest}")
    if re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+", text):
        return float(text.replace(",", ""))
    parts = re.split(r"[.,]", text)
    return float(".".join(parts) if len(parts) == 2 else "".join(parts))


def written(value: float) -> str:
    """Write a number so that equal amounts are equal texts, to four digits."""
    return f"{value:.4g}"


def take_amounts(text: str) -> tuple[dict[str, set[str]], str]:
    """Find the amounts in a text.

    Args:
        text: normalised.

    Returns:
        By dimension the amounts, in the dimension's own unit; and the text without them.
    """
    found: dict[str, set[str]] = {}

    def keep(match: re.Match[str]) -> str:
        unit = _UNITS.get(match[2].replace(" ", "").replace(".", ""))
        if unit is None:
            return match[0]
        dimension, factor = unit
        found.setdefault(dimension, set()).add(written(to_number(match[1]) * factor))
        return " "

    def times(match: re.Match[str]) -> str:
        found.setdefault("count", set()).add(written(float(match[1])))
        return " "

    if not any(map(str.isdigit, text)):
        return found, text
    # 6 x 330 ml is a pack of six; 10 x 15 cm is not, and both titles are read alike
    rest = _AMOUNT.sub(keep, _TIMES.sub(times, text))
    return found, rest

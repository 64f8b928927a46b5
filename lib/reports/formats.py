"""Figures as people read them: 1,234; 87.3 %; 14.2 MB. What is no number is a dash."""

import math
from base64 import b64encode
from datetime import datetime

from lib.runs.progress import per_second, plural

NOTHING = "\u2013"
"""Stands where there is no figure to show."""

_SPACE = "\u00a0"
_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")


def count(value: int) -> str:
    """Write a whole number with its thousands apart."""
    return f"{value:,}"


def items(value: int) -> str:
    """Write how many items, in the singular where it is one."""
    return plural(value, "item")


def sentence(text: str) -> str:
    """Write a line of the terminal as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."


def decimal(value: float, digits: int = 2) -> str:
    """Write a number with some digits after the point."""
    return f"{value:,.{digits}f}" if math.isfinite(value) else NOTHING


def threshold(value: float) -> str:
    """Write a threshold; one that no confidence reaches is none."""
    return decimal(value) if value <= 1 else "none"


def rate(value: float) -> str:
    """Write a rate: one digit after the point below a hundred, none from there on."""
    return per_second(value) if math.isfinite(value) else NOTHING


def percent(fraction: float) -> str:
    """Write a fraction as a percentage that says 0 or 100 only when it is just that."""
    if not math.isfinite(fraction):
        return NOTHING
    if 0 < fraction < 0.0005:
        return f"<0.1{_SPACE}%"
    if 0.9995 <= fraction < 1:
        return f">99.9{_SPACE}%"
    return (
        f"{fraction * 100:.0f}{_SPACE}%"
        if fraction in {0, 1}
        else f"{fraction:.1%}"[:-1] + (f"{_SPACE}%")
    )


def share(part: float, whole: float) -> float:
    """Divide, where nothing of nothing is not a number."""
    return part / whole if whole else math.nan


def size(amount: float) -> str:
    """Write a number of bytes in decimal units."""
    if not math.isfinite(amount):
        return NOTHING
    step = 0
    while abs(amount) >= 999.95 and step < len(_SIZES) - 1:
        amount, step = amount / 1000, step + 1
    return f"{amount:,.{1 if step else 0}f}{_SPACE}{_SIZES[step]}"


def moment(text: str) -> str:
    """Write an ISO 8601 time with its month spelt out; any other text stays as it is."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    zone = (time.tzname() or "") if time.tzinfo else ""
    return f"{time.day}{time:{_SPACE}%b{_SPACE}%Y, %H:%M:%S} {zone}".rstrip()


def picture(jpeg: bytes) -> str:
    """Turn a JPEG into a URI that holds the picture itself."""
    return "data:image/jpeg;base64," + b64encode(jpeg).decode("ascii")


def unit(value: float) -> str:
    """Write a fraction for a style sheet: always a number from 0 to 1."""
    return f"{min(max(value, 0.0), 1.0):.4f}" if math.isfinite(value) else "0"

"""What a value should be, in a reader's words; pydantic's own are for whoever wrote the program."""

import datetime as dt
import json
from collections.abc import Sequence

from pydantic_core import ErrorDetails

_KEYS_AND_VALUES = "should be keys and values"
_TEXT = "should be text"
_LIST = "should be a list, as [a, b]"
_BOOLEAN = "should be true or false"
_WHOLE, _NUMBER = "should be a whole number", "should be a number"
# by pydantic's type of error; braces are what its context gives
_EXPECTED = {
    "model_type": _KEYS_AND_VALUES,
    "model_attributes_type": _KEYS_AND_VALUES,
    "dict_type": _KEYS_AND_VALUES,
    "string_type": _TEXT,
    "tuple_type": _LIST,
    "list_type": _LIST,
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "greater_than": "should be more than {gt}",
    "greater_than_equal": "should be at least {ge}",
    "less_than": "should be less than {lt}",
    "less_than_equal": "should be at most {le}",
    "too_short": "should have at least {min_length} values",
    "too_long": "should have at most {max_length} values",
    "invalid_key": "should be text, as all keys: put it in quotes",
}


def expected(detail: ErrorDetails, keys: Sequence[str] = ()) -> str:
    """Return what was expected, to follow the name of a key.

    Args:
        detail: what pydantic found.
        keys: those that may stand below the key, if it has any.
    """
    said = _EXPECTED.get(detail["type"])
    if said is None:
        return detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if said == _KEYS_AND_VALUES and keys:
        said = f"{said}, with the keys {', '.join(keys)}"
    if said == _TEXT and not isinstance(detail["input"], list | dict | None):
        said = f"{said}: put it in quotes"
    limits = detail.get("ctx", {})
    return said.format(**{k: f"{v:g}" if isinstance(v, float) else v for k, v in limits.items()})


def complaint(detail: ErrorDetails) -> str:
    """Return what is wrong with a key of a file that is not a run file, to follow its name."""
    known = {"missing": "is missing", "extra_forbidden": "is not known here"}
    return known.get(detail["type"]) or f"{expected(detail)}{shown(detail['input'])}"


def shown(value: object) -> str:
    """Return a value as a run file has it, shortened, to follow what was expected."""
    if value is None:
        return "; there is no value"
    if isinstance(value, bool):
        return f", not {json.dumps(value)}"
    if isinstance(value, dt.date):
        return f", not {value}"
    text = repr(value)
    return f", not {text}" if len(text) <= 80 else f", not {text[:77]}..."

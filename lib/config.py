"""Run files: YAML in, a validated and frozen model out, or one sentence that names the place."""

import difflib
from collections.abc import Sequence
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from lib.errors import InputError
from lib.yamlfile import Place, YamlFile, parse_yaml

Loc = tuple[str | int, ...]


class Config(BaseModel):
    """Base of every part's configuration: frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


ConfigT = TypeVar("ConfigT", bound=Config)


def load_config(
    model: type[ConfigT], text: str, source: str, overrides: Sequence[str] = ()
) -> ConfigT:
    """Validate the YAML `text` of the file `source`, after `--set a.b=value` overrides.

    Raises:
        InputError: the file is not YAML, or a key is unknown, missing or wrong; the message names
            file, line, key and what was expected.
    """
    file = parse_yaml(text, source)
    if not isinstance(file.data, dict):
        raise InputError(f"{source}: expected keys and values, as in 'output: runs'")
    for override in overrides:
        _apply(file, override)
    try:
        return model.model_validate(file.data)
    except ValidationError as error:
        lines = [_sentence(model, file, detail) for detail in error.errors()]
        raise InputError("\n".join(lines)) from None


def _apply(file: YamlFile, override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise InputError(f"--set {override}: expected a.b=value, as in training.epochs=8")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise InputError(f"--set {key}: {text!r} is not a YAML value") from None
    *parents, last = key.split(".")
    node = file.data
    for parent in parents:
        child = node.get(parent)
        if not isinstance(child, dict):
            child = node[parent] = {}
        node = child
    node[last] = value
    file.places[tuple(key.split("."))] = Place(f"--set {key}")


def _sentence(model: type[Config], file: YamlFile, detail: ErrorDetails) -> str:
    loc = tuple(part for part in detail["loc"] if part != "[key]")
    key = ".".join(str(part) for part in loc)
    place = file.place(loc)
    if detail["type"] == "extra_forbidden":
        known = _known_keys(model, loc[:-1])
        close = difflib.get_close_matches(str(loc[-1]), known, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"known here: {', '.join(known)}"
        return f"{place}: unknown key '{key}'; {hint}"
    if detail["type"] == "missing":
        return f"{place}: '{key}' is missing"
    expected = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    # Whatever stands under storage may be a secret, and is never repeated.
    got = "" if "storage" in loc else f", not {detail['input']!r:.80}"
    return f"{place}: '{key}' {expected}{got}"


def _known_keys(model: type[Config], loc: Loc) -> list[str]:
    current: Any = model
    for part in loc:
        field = getattr(current, "model_fields", {}).get(part)
        if field is None:
            continue
        options = [field.annotation, *get_args(field.annotation)]
        current = next((o for o in options if isinstance(o, type) and issubclass(o, Config)), None)
    return sorted(getattr(current, "model_fields", {}))

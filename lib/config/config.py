"""Run files: YAML in, a validated and frozen model out, or one sentence that names the place."""

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from lib.config.value_words import complaint, expected, shown
from lib.config.yaml_limits import check_limits
from lib.config.yaml_lines import Loader, Place, YamlFile, parse_yaml, text_of
from lib.errors import InputError

Loc = tuple[str | int, ...]
# parts of run files in which any value may be a secret; no message repeats one
SECRET = {"storage", "mlflow", "notify", "webhook"}


class Config(BaseModel):
    """Base of every part's configuration: frozen, and strict about unknown keys and numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    former_keys: ClassVar[Mapping[str, str]] = {}  # keys of earlier versions, and what they are now


ConfigT = TypeVar("ConfigT", bound=Config)


def load_config(
    model: type[ConfigT], text: str, source: str, overrides: Sequence[str] = ()
) -> ConfigT:
    """Validate the YAML `text` of the file `source`, after `--set a.b=value` overrides.

    Raises:
        InputError: the file is not YAML, or a key is unknown, missing or wrong; the message names
            file, line, key and what was expected.
    """
    file = _parse(text, source, overrides)
    try:
        return model.model_validate(file.data)
    except ValidationError as error:
        lines = [_sentence(model, file, detail) for detail in error.errors()]
        raise InputError("\n".join(lines)) from None


def load_run_file(model: type[ConfigT], path: Path, overrides: Sequence[str] = ()) -> ConfigT:
    """Read and validate a run file.

    Raises:
        InputError: it is not there, or something in it is wrong.
    """
    return load_config(model, _read(path), str(path), overrides)


def merge_run_file(path: Path, overrides: Sequence[str] = ()) -> str:
    """Return the YAML text of a run file into which `--set` overrides have been taken.

    Raises:
        InputError: it cannot be read, or is not YAML.
    """
    return yaml.safe_dump(_parse(_read(path), str(path), overrides).data, sort_keys=False)


def load_json(model: type[ConfigT], data: bytes, source: str, what: str) -> ConfigT:
    """Validate a JSON file that a program has written.

    Args:
        model: what it holds.
        data: its bytes.
        source: where it lies.
        what: it is, for the message.

    Raises:
        InputError: it is damaged, or of another version; names the key.
    """
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if not key:
            raise InputError(f"{source}: {what} is damaged: it is not whole JSON") from None
        raise InputError(
            f"{source}: {what} is damaged, or of another version: '{key}' {complaint(first)}"
        ) from None


def _read(path: Path) -> str:
    try:
        return text_of(path.read_bytes(), str(path))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such run file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: this is a folder; expected a run file") from None
    except OSError as error:
        raise InputError(f"{path}: the run file cannot be read: {error.strerror}") from None


def _parse(text: str, source: str, overrides: Sequence[str]) -> YamlFile:
    file = parse_yaml(text, source)
    if not isinstance(file.data, dict):
        found = "the file is empty; " if file.data is None else ""
        raise InputError(f"{source}: {found}expected keys and values, as in 'output: runs'")
    for override in overrides:
        _apply(file, override)
    return file


def _apply(file: YamlFile, override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not all(part.strip() for part in key.split(".")):
        # what follows the key may be a secret, and is never repeated
        key = re.match(r"[\w.-]*", override)[0]  # type: ignore[index]  # it always matches
        name = f"--set {key}" if key else "--set"
        raise InputError(f"{name}: expected KEY=VALUE, as in training.epochs=8")
    try:
        check_limits(text, Loader, f"--set {key}")
        value = yaml.load(text, Loader)  # noqa: S506  # Loader is a safe loader
    except (yaml.YAMLError, UnicodeEncodeError):  # bytes of a command line that are no UTF-8
        raise InputError(
            f"--set {key}: what follows the '=' is not valid YAML; try it in quotes"
        ) from None
    *parents, last = key.split(".")
    node = file.data
    for depth, parent in enumerate(parents, 1):
        child = node.get(parent)
        if not isinstance(child, dict):
            child = node[parent] = {}
            file.places[tuple(parents[:depth])] = Place(f"--set {key}")
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
        if key in model.former_keys:
            hint = f"it is '{model.former_keys[key]}' now"
        # in {secret:VALUE}, with no space after the colon, the value is a part of the key
        name = key.partition(":")[0] if SECRET & {*loc} else key
        return f"{place}: unknown key '{name}'; {hint}"
    if detail["type"] == "missing":
        if isinstance(loc[-1], int):
            return f"{place}: '{'.'.join(map(str, loc[:-1]))}' has too few values"
        return f"{place}: '{key}' is missing"
    said = expected(detail, _known_keys(model, loc))
    # where a validator has said all, the value would be a whole part of the file
    said_all = detail["type"] == "value_error" and isinstance(detail["input"], BaseModel | dict)
    hidden = said_all or SECRET & {*loc}
    return f"{place}: '{key}' {said}{'' if hidden else shown(detail['input'])}"


def _known_keys(model: type[Config], loc: Loc) -> list[str]:
    current: Any = model
    for part in loc:
        field = getattr(current, "model_fields", {}).get(part)
        if field is None:
            continue
        options = [field.annotation, *get_args(field.annotation)]
        current = next((o for o in options if isinstance(o, type) and issubclass(o, Config)), None)
    return sorted(getattr(current, "model_fields", {}))

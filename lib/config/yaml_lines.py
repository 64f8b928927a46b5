"""YAML that remembers where each value stands, so that an error can name its line."""

import codecs
import unicodedata
from dataclasses import dataclass, field
from typing import Any

import yaml

from lib.config.yaml_limits import check_limits
from lib.config.yaml_words import problem_of, shown_line
from lib.errors import InputError

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Place:
    """Where a value stands, as a person reads it: `file.yaml, line 3`."""

    text: str

    def __str__(self) -> str:
        """Return the place for use in a sentence."""
        return self.text


@dataclass
class YamlFile:
    """Parsed data with the place of each value, by its path of keys and indices."""

    source: str
    data: Any
    places: dict[Path, Place] = field(default_factory=dict)

    def place(self, path: Path) -> Place:
        """Return the place of the value at `path`, or of the nearest parent that stands there."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return Place(self.source)


# ten times as fast, where PyYAML was built with it: a taxonomy may have thousands of lines
_Safe = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Loader(_Safe):  # type: ignore[misc, valid-type]  # one of the two
    """The safe loader, naming the line of a date or number that cannot be, as 2026-02-30."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002  # as the base class has it
        """Construct a value; what no date or number can be is an error in the YAML."""
        try:
            return super().construct_object(node, deep)
        # PyYAML looks at digits, matches and words that a value with a tag ('!!int ""') has not got
        except (ValueError, AttributeError, LookupError, OverflowError):
            problem = "there is no such date or number; text goes in quotes"
            raise yaml.constructor.ConstructorError(
                problem=problem, problem_mark=node.start_mark
            ) from None


def text_of(data: bytes, source: str) -> str:
    """Return the text of a file that is written by hand.

    Raises:
        InputError: it is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise InputError(
                f"{source}, line 1: this is text in UTF-16; save the file as UTF-8"
            ) from None
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            f"{source}, line {line}: not text in UTF-8 (byte {data[error.start]:#04x}); save the "
            "file as UTF-8"
        ) from None


def parse_yaml(text: str, source: str) -> YamlFile:
    """Parse one YAML document with the safe loader.

    Raises:
        InputError: it is not YAML, has a key twice or over several lines, contains itself, or goes
            beyond the limits of `lib.config.yaml_limits`; file and line are named.
    """
    file = YamlFile(source, None)
    try:
        check_limits(text, Loader, source)
        loader = Loader(text)
        root = loader.get_single_node()
        if root is not None:
            _visit(file, root, (), ())
            file.data = loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        number = error.problem_mark.line if error.problem_mark else 0
        said = f"{problem_of(error, text)}{shown_line(text, number)}"
        raise InputError(f"{source}, line {number + 1}: not valid YAML: {said}") from None
    except yaml.YAMLError:
        raise InputError(
            f"{source}: not valid YAML: it has a control character, and may be no text at all"
        ) from None
    return file


def _visit(file: YamlFile, node: yaml.Node, path: Path, above: tuple[int, ...]) -> None:
    place = Place(f"{file.source}, line {node.start_mark.line + 1}")
    if id(node) in above:
        raise InputError(f"{place}: this part contains itself (an alias makes a cycle)")
    file.places[path] = place
    above = (*above, id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _visit(file, child, (*path, index), above)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key_node, child in node.value:
            key = str(key_node.value)
            if len(key.splitlines()) > 1:  # it may hold a secret, and is not repeated
                line = key_node.start_mark.line + 1
                raise InputError(
                    f"{file.source}, line {line}: a key goes on over several lines; is a ':', a "
                    "quote or a bracket missing?"
                )
            same = unicodedata.normalize("NFC", key)  # two spellings of one word look alike
            if same in seen:
                line = key_node.start_mark.line + 1
                raise InputError(f"{file.source}, line {line}: '{key}' stands here a second time")
            seen.add(same)
            _visit(file, child, (*path, key), above)
            # a scalar is best found by its key's line; they differ only for multi-line values
            file.places[(*path, key)] = Place(f"{file.source}, line {key_node.start_mark.line + 1}")

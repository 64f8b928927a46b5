"""YAML that remembers where each value stands, so that an error can name its line."""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

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
        except ValueError:
            problem = "a date or number that cannot be"
            raise yaml.constructor.ConstructorError(
                problem=problem, problem_mark=node.start_mark
            ) from None


def parse_yaml(text: str, source: str) -> YamlFile:
    """Parse one YAML document with the safe loader.

    Raises:
        InputError: it is not YAML, has a key twice, or contains itself; file and line are named.
    """
    file = YamlFile(source, None)
    try:
        loader = Loader(text)
        root = loader.get_single_node()
        if root is not None:
            _visit(file, root, (), ())
            file.data = loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        # an unquoted password may look like a tag or an alias, and is not repeated
        problem = re.sub(r"(tag|alias) '.*'", r"\1", error.problem or "")
        raise InputError(f"{source}{line}: not valid YAML: {problem}") from None
    except yaml.YAMLError as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{source}: not valid YAML: {first}") from None
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
            if key in seen:
                line = key_node.start_mark.line + 1
                raise InputError(f"{file.source}, line {line}: '{key}' stands here a second time")
            seen.add(key)
            _visit(file, child, (*path, key), above)
            # a scalar is best found by its key's line; they differ only for multi-line values
            file.places[(*path, key)] = Place(f"{file.source}, line {key_node.start_mark.line + 1}")

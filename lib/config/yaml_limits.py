"""How deep YAML may nest and how far its aliases may multiply it, told before it is built."""

from dataclasses import dataclass

import yaml

from lib.errors import InputError

DEEPEST = 100  # levels; each level of a taxonomy's categories takes two
# values that all aliases of a file together may stand for, beside ten for each that is written
MOST_ALIASED = 10_000


@dataclass
class _Part:
    """A value as it is read: how many values and levels it has, with those of its aliases."""

    anchor: str | None
    values: int = 1
    levels: int = 1

    def add(self, child: "_Part") -> None:
        """Take in a value that stands in this one."""
        self.values += child.values
        self.levels = max(self.levels, child.levels + 1)


def check_limits(text: str, loader: type[yaml.SafeLoader], source: str) -> None:
    """Refuse YAML that would take more time, memory or stack than its length lets one expect.

    The parser's events are walked one by one: to build nested values takes stack, and to visit
    them takes time that grows with each alias of an alias.

    Args:
        text: of the file.
        loader: whose parser reads it.
        source: the file's name, for the message.

    Raises:
        InputError: it nests too deep, or its aliases stand for too many values; names the line.
        yaml.YAMLError: it is not YAML.
    """
    marked: dict[str | None, _Part] = {}
    open_parts = [_Part(None)]
    written = 0
    for event in yaml.parse(text, loader):
        if isinstance(event, yaml.CollectionEndEvent):
            part = open_parts.pop()
        elif isinstance(event, yaml.CollectionStartEvent | yaml.ScalarEvent):
            part = _Part(event.anchor)
            written += 1
        elif isinstance(event, yaml.AliasEvent):
            # of a part that is still open it makes a cycle, and of none is refused where it is read
            part = marked.get(event.anchor, _Part(None))
        else:
            continue
        line = f"{source}, line {event.start_mark.line + 1 if event.start_mark else 1}"
        if len(open_parts) + part.levels - 1 > DEEPEST:
            raise InputError(
                f"{line}: this is nested more than {DEEPEST} levels deep, and {DEEPEST} are "
                "allowed; look for a bracket or an alias ('*') that is there by mistake"
            )
        if isinstance(event, yaml.CollectionStartEvent):
            open_parts.append(part)
            continue
        if part.anchor:
            marked[part.anchor] = part
        open_parts[-1].add(part)
        if isinstance(event, yaml.AliasEvent):
            # parts that are still open are not yet counted in those around them
            values = sum(each.values for each in open_parts)
            allowed = MOST_ALIASED + 10 * written
            if values > allowed:
                raise InputError(
                    f"{line}: aliases ('*') make {values:,} values of the {written:,} that are "
                    f"written up to here, and {allowed:,} are allowed; write the parts out"
                )

"""Clusters of one product: each item is the same as each other one, or the cluster is cut."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

Node = tuple[str, str]  # a side, and an item's id
Edge = tuple[Node, Node]

LARGEST = 200  # items that hang together, up to which pairs that nobody has scored are scored


def cluster(
    edges: Sequence[tuple[float, Node, Node]], score: Callable[[Sequence[Edge]], Iterable[bool]]
) -> list[list[Node]]:
    """Put the items of pairs that are the same together, the surest pair first.

    Two clusters become one only where each item of one is the same as each of the other; so a chain
    of pairs whose ends are not the same is cut at its weakest pair.

    Args:
        edges: pairs that are the same, with their scores, each once.
        score: says of pairs that were no candidates whether they are the same.

    Returns:
        Clusters of two items and more, sorted, as their items are.
    """
    neighbours: dict[Node, set[Node]] = defaultdict(set)
    for _, one, other in edges:
        neighbours[one].add(other)
        neighbours[other].add(one)
    _complete(neighbours, score)
    members: dict[Node, list[Node]] = {node: [node] for node in neighbours}
    for _, one, other in sorted(edges, key=lambda edge: (-edge[0], edge[1:])):
        mine, others = members[one], members[other]
        if mine is others:
            continue
        if all(node in neighbours[each] for each in mine for node in others):
            mine.extend(others)
            for node in others:
                members[node] = mine
    whole = {id(each): each for each in members.values() if len(each) > 1}
    return sorted(sorted(each) for each in whole.values())


def _complete(
    neighbours: dict[Node, set[Node]], score: Callable[[Sequence[Edge]], Iterable[bool]]
) -> None:
    """Score the pairs that hang together by others, and add those that are the same."""
    unknown: list[Edge] = []
    for part in _parts(neighbours):
        if 2 < len(part) <= LARGEST:
            unknown += [
                (one, other)
                for place, one in enumerate(part)
                for other in part[place + 1 :]
                if other not in neighbours[one]
            ]
    for (one, other), same in zip(unknown, score(unknown) if unknown else (), strict=True):
        if same:
            neighbours[one].add(other)
            neighbours[other].add(one)


def _parts(neighbours: dict[Node, set[Node]]) -> list[list[Node]]:
    seen: set[Node] = set()
    parts = []
    for start in sorted(neighbours):
        if start in seen:
            continue
        part, waiting = [], [start]
        seen.add(start)
        while waiting:
            node = waiting.pop()
            part.append(node)
            waiting += (fresh := neighbours[node] - seen)
            seen |= fresh
        parts.append(sorted(part))
    return parts

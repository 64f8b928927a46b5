import itertools
from collections.abc import Iterable, Sequence

from lib.matching.clusters import Edge, Node, cluster


def node(name: str) -> Node:
    return ("left", name)


def none(pairs: Sequence[Edge]) -> Iterable[bool]:
    return [False] * len(pairs)


def test_a_chain_of_pairs_whose_ends_are_not_the_same_is_cut_at_its_weakest() -> None:
    a, b, c = map(node, "abc")

    assert cluster([(0.99, a, b), (0.91, b, c)], none) == [[a, b]]


def test_items_that_are_all_the_same_are_one_cluster() -> None:
    nodes = [*map(node, "abc"), ("right", "a")]
    edges = [(0.9, one, other) for one, other in itertools.combinations(nodes, 2)]

    assert cluster(edges, none) == [sorted(nodes)]


def test_a_pair_that_was_no_candidate_is_scored_before_a_cluster_is_cut() -> None:
    a, b, c = map(node, "abc")
    asked: list[Edge] = []

    def same(pairs: Sequence[Edge]) -> Iterable[bool]:
        asked.extend(pairs)
        return [True] * len(pairs)

    assert cluster([(0.99, a, b), (0.91, b, c)], same) == [[a, b, c]]
    assert asked == [(a, c)]


def test_the_order_of_the_pairs_changes_nothing() -> None:
    nodes = list(map(node, "abcdef"))
    edges = [
        (0.9 + place / 100, one, other)
        for place, (one, other) in enumerate(itertools.pairwise(nodes))
    ]

    assert cluster(edges, none) == cluster(edges[::-1], none)


def test_two_pairs_of_equal_score_are_taken_in_the_order_of_their_ids() -> None:
    a, b, c = map(node, "abc")

    assert cluster([(0.9, b, c), (0.9, a, b)], none) == [[a, b]]

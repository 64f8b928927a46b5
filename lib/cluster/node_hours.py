"""How long nodes of each kind have been there for a run: what it is paid for."""

import time
from collections import Counter

import ray

EVERY_S = 15.0
GROUP = "ray.io/node-group"  # the label that autoscalers give a node: the name of its kind


class NodeClock:
    """Counts node hours by kind, from its making on."""

    def __init__(self) -> None:
        """Begin to count; Ray must be connected."""
        self._at = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the nodes should be counted again."""
        return time.monotonic() - self._at >= EVERY_S

    def tick(self) -> dict[str, float]:
        """Return the hours since the last tick, of the nodes that are there now."""
        before, self._at = self._at, time.monotonic()
        hours = (self._at - before) / 3600
        return {kind: count * hours for kind, count in nodes_by_kind().items()}


def nodes_by_kind() -> dict[str, int]:
    """Count the cluster's nodes by their kind: `head`, their group's name, or `gpu` and `cpu`."""
    kinds: Counter[str] = Counter()
    for node in ray.nodes():
        if not node["Alive"]:
            continue
        resources = node["Resources"]
        if "node:__internal_head__" in resources and not resources.get("CPU"):
            kinds["head"] += 1
        else:
            kinds[node["Labels"].get(GROUP) or ("gpu" if resources.get("GPU") else "cpu")] += 1
    return dict(kinds)

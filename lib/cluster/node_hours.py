"""The nodes that a run is paid for, by their kind."""

from collections import Counter

import ray

GROUP = "ray.io/node-group"  # the label that autoscalers give a node: the name of its kind


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

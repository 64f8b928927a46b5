"""What a run costs, where its run file gives prices for the kinds of nodes."""

from collections.abc import Mapping

from pydantic import Field

from lib.config.config import Config


class PricesConfig(Config):
    """Prices, by the kind of a node: its group's name on an autoscaled cluster, else cpu or gpu."""

    currency: str = "USD"
    node_hour: dict[str, float] = Field(default_factory=dict)

    def cost(self, node_hours: Mapping[str, float]) -> float | None:
        """Return what these hours cost, or None where a kind has no price."""
        if not self.node_hour or not node_hours.keys() <= self.node_hour.keys():
            return None
        return sum(hours * self.node_hour[kind] for kind, hours in node_hours.items())

    def sentence(self, node_hours: Mapping[str, float], images: int) -> str | None:
        """Say what these hours cost, and how many images that is for one unit of money."""
        if not self.node_hour:
            return None
        if (cost := self.cost(node_hours)) is None:
            missing = sorted(node_hours.keys() - self.node_hour.keys())
            return f"no cost: prices.node_hour has no price for '{missing[0]}' nodes"
        return f"{cost:,.2f} {self.currency}" + (
            f", {images / cost:,.0f} images per {self.currency}" if cost else ""
        )


def hours_ahead(nodes_now: Mapping[str, int], share: float, seconds: float) -> dict[str, float]:
    """Estimate the node hours of a run.

    Args:
        nodes_now: nodes by kind, as they are while the rate is measured.
        share: of the run's actors, those that have room on these nodes now, 0 to 1. The head is
            there once, however many workers come.
        seconds: that the run will take with all its actors.
    """
    hours = seconds / 3600
    return {
        kind: hours * count * (1 if kind == "head" else 1 / share)
        for kind, count in nodes_now.items()
    }


def add_hours(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """Add node hours, by kind."""
    return {kind: one.get(kind, 0) + other.get(kind, 0) for kind in {**one, **other}}

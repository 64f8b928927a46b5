"""The picture of a migration: old categories on the left, new on the right, bands between."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

from lib.reports.formats import count
from lib.reports.formats import items as items_of
from lib.reports.migration_data import Flow
from lib.reports.scores import short_labels

MOST = 18  # categories per side; the smallest are drawn together
WIDTH, BAR, LEFT, GAP = 760, 10, 210, 9
HEIGHT = 420  # of all bands together
LEAST = 1.2  # a band is seen, however few its items
ERRORS = "errors"
KINDS = {"rule": "by rule", "model": "by the model", "review": "for review", "person": "by people"}
COLOURS = {"rule": "--parent", "model": "--accept", "review": "--review", "person": "--good"}


@dataclass(frozen=True)
class _Band:
    was: str
    becomes: str
    kind: str  # rule, model, review or person: the colour
    items: int


def flow_picture(flows: Sequence[Flow]) -> Markup:
    """Draw how many items went from where to where, as inline SVG in the page's own colours."""
    bands = _bands(flows)
    lefts, rights = _order(bands)
    scale = HEIGHT / max(sum(band.items for band in bands), 1)
    tall = {band: max(band.items * scale, LEAST) for band in bands}
    from_y = _stack(bands, tall, lefts, "was")
    to_y = _stack(bands, tall, rights, "becomes")
    right = WIDTH - LEFT
    drawn = []
    for band in bands:
        y1, y2, high = from_y[1][band], to_y[1][band], tall[band]
        x1, x2, middle = LEFT + BAR, right - BAR, WIDTH / 2
        path = (
            f"M{x1} {y1:.1f} C{middle} {y1:.1f} {middle} {y2:.1f} {x2} {y2:.1f} "
            f"V{y2 + high:.1f} C{middle} {y2 + high:.1f} {middle} {y1 + high:.1f} {x1} "
            f"{y1 + high:.1f} Z"
        )
        title = f"{band.was} to {band.becomes}, {KINDS[band.kind]}: {items_of(band.items)}"
        drawn.append(
            f'<path d="{path}" fill="var({COLOURS[band.kind]})" fill-opacity=".62">'
            f"<title>{escape(title)}</title></path>"
        )
    drawn += _side(from_y[0], _totals(bands, "was"), LEFT, "end")
    drawn += _side(to_y[0], _totals(bands, "becomes"), right - BAR, "start")
    high = max(y + h for nodes in (from_y[0], to_y[0]) for y, h in nodes.values()) + 6
    alt = f"{count(len(lefts))} old categories flow into {count(len(rights))} new ones."
    opening = (
        f'<svg class="chart" role="img" aria-label="{alt}" viewBox="0 0 {WIDTH} {high:.0f}" '
        'font-size="12.5">'
    )
    return Markup(opening + "".join(drawn) + "</svg>")  # noqa: S704  # all texts are escaped above


def _bands(flows: Sequence[Flow]) -> list[_Band]:
    """Bands between named nodes; small categories share one a side."""
    was = _names([(flow.was or ERRORS, flow.items) for flow in flows])
    becomes = _names([(flow.becomes or ERRORS, flow.items) for flow in flows])
    summed: dict[tuple[str, str, str], int] = defaultdict(int)
    for flow in flows:
        ends = (was[flow.was or ERRORS], becomes[flow.becomes or ERRORS])
        summed[*ends, "rule" if flow.by_rule else "model"] += flow.accepted + flow.parent
        summed[*ends, "review"] += flow.review
        summed[*ends, "person"] += flow.person
    return [_Band(*key, items) for key, items in summed.items() if items]


def _names(sized: Sequence[tuple[str, int]]) -> dict[str, str]:
    totals: dict[str, int] = defaultdict(int)
    for path, items in sized:
        totals[path] += items
    largest = sorted(totals, key=lambda path: (-totals[path], path))
    shown = largest if len(largest) <= MOST else largest[: MOST - 1]
    names = dict(zip(shown, short_labels(shown), strict=True))
    rest = len(largest) - len(shown)
    return {path: names.get(path, f"{count(rest)} smaller ones") for path in largest}


def _totals(bands: Sequence[_Band], side: str) -> dict[str, int]:
    totals: dict[str, int] = defaultdict(int)
    for band in bands:
        totals[getattr(band, side)] += band.items
    return totals


def _order(bands: Sequence[_Band]) -> tuple[list[str], list[str]]:
    """Order the right by what it comes from, and the left by where it goes: few bands cross."""
    sizes = _totals(bands, "becomes")
    rights = sorted(sizes, key=lambda name: (-sizes[name], name))
    lefts = sorted(_totals(bands, "was"), key=lambda n: (_centre(bands, "was", n, rights), n))
    rights.sort(key=lambda n: (_centre(bands, "becomes", n, lefts), n))
    return lefts, rights


def _centre(bands: Sequence[_Band], side: str, name: str, others: Sequence[str]) -> float:
    other = "becomes" if side == "was" else "was"
    mine = [band for band in bands if getattr(band, side) == name]
    weight = sum(others.index(getattr(band, other)) * band.items for band in mine)
    return weight / sum(band.items for band in mine)


def _stack(
    bands: Sequence[_Band], tall: Mapping[_Band, float], names: Sequence[str], side: str
) -> tuple[dict[str, tuple[float, float]], dict[_Band, float]]:
    """Find each node's top and height, and each band's top at that side."""
    other = "becomes" if side == "was" else "was"
    nodes, tops = {}, {}
    y = 4.0
    for name in names:
        mine = sorted(
            (band for band in bands if getattr(band, side) == name),
            key=lambda band: (getattr(band, other), band.kind),
        )
        start = y
        for band in mine:
            tops[band] = y
            y += tall[band]
        nodes[name] = (start, y - start)
        y = max(y, start + 14) + GAP  # room for a line of text
    return nodes, tops


def _side(
    nodes: Mapping[str, tuple[float, float]], totals: Mapping[str, int], x: float, anchor: str
) -> list[str]:
    at = x - 6 if anchor == "end" else x + BAR + 6
    drawn = []
    for name, (y, high) in nodes.items():
        short = name if len(name) <= 22 else name[:21] + "\N{HORIZONTAL ELLIPSIS}"
        drawn.append(
            f'<rect x="{x}" y="{y:.1f}" width="{BAR}" height="{high:.1f}" fill="var(--ink)"/>'
            f'<text x="{at}" y="{y + high / 2 + 4:.1f}" text-anchor="{anchor}" fill="var(--ink)">'
            f'{escape(short)} <tspan fill="var(--muted)">{count(totals[name])}</tspan></text>'
        )
    return drawn

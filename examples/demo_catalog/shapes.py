"""Colours and outlines that products are drawn of.

A product is drawn in its own coordinates, x to the right and y down, within about -1 to 1.
"""

import math
from collections.abc import Sequence

Point = tuple[float, float]
Colour = tuple[int, int, int]

INK: Colour = (38, 36, 40)
CREAM: Colour = (244, 240, 230)
METALS: tuple[Colour, ...] = ((196, 200, 206), (212, 178, 108), (74, 76, 84), (204, 150, 120))
WOODS: tuple[Colour, ...] = ((196, 150, 98), (134, 88, 54), (222, 188, 140), (84, 58, 42))


def toned(colour: Colour, by: float) -> Colour:
    """Darken a colour (by below 1) or move it towards white (by above 1)."""
    if by <= 1:
        red, green, blue = (int(part * by) for part in colour)
    else:
        red, green, blue = (int(part + (255 - part) * (by - 1)) for part in colour)
    return red, green, blue


def mirrored(half: Sequence[Point]) -> list[Point]:
    """Close a right half, given from top to bottom, into a symmetric outline."""
    return [*half, *((-x, y) for x, y in reversed(half))]


def box(left: float, top: float, right: float, bottom: float, *, radius: float = 0) -> list[Point]:
    """Outline a rectangle, its corners rounded."""
    radius = max(min(radius, (right - left) / 2, (bottom - top) / 2), 0.001)
    corners = (
        (right - radius, bottom - radius),
        (left + radius, bottom - radius),
        (left + radius, top + radius),
        (right - radius, top + radius),
    )
    turns = [math.radians(15 * step) for step in range(7)]
    return [
        (x + radius * math.cos(t + n * math.pi / 2), y + radius * math.sin(t + n * math.pi / 2))
        for n, (x, y) in enumerate(corners)
        for t in turns
    ]


def arc(centre: Point, radii: Point, degrees: Point = (0, 360)) -> list[Point]:
    """Follow an ellipse between two angles, clockwise from its right-most point."""
    (x, y), (rx, ry), (start, end) = centre, radii, degrees
    turns = [math.radians(start + (end - start) * step / 40) for step in range(41)]
    return [(x + rx * math.cos(t), y + ry * math.sin(t)) for t in turns]


def curve(*points: Point) -> list[Point]:
    """Lead a smooth (Catmull-Rom) line through the points."""
    ends = [points[0], *points, points[-1]]
    line: list[Point] = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        for step in range(8):
            t = step / 8
            weights = (
                (-t + 2 * t * t - t**3) / 2,
                (2 - 5 * t * t + 3 * t**3) / 2,
                (t + 4 * t * t - 3 * t**3) / 2,
                (t**3 - t * t) / 2,
            )
            x, y = (
                sum(w * p[axis] for w, p in zip(weights, (a, b, c, d), strict=True))
                for axis in (0, 1)
            )
            line.append((x, y))
    return [*line, points[-1]]

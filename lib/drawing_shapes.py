"""The demo catalog's products: how each category looks, drawn as vectors with Pillow.

A product is drawn in its own coordinates, x to the right and y down, within about -1 to 1;
the pen places, turns, mirrors and supersamples it.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

from PIL import Image, ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]

SAMPLES = 2
INK: Colour = (38, 36, 40)
CREAM: Colour = (244, 240, 230)
METALS: tuple[Colour, ...] = ((196, 200, 206), (212, 178, 108), (74, 76, 84), (204, 150, 120))
WOODS: tuple[Colour, ...] = ((196, 150, 98), (134, 88, 54), (222, 188, 140), (84, 58, 42))


@dataclass(frozen=True)
class Paint:
    """What fills a shape: a colour, a pattern in a second colour, and light from the left."""

    colour: Colour
    second: Colour = CREAM
    pattern: str = "plain"
    pitch: float = 0.2
    shade: float = 0.5


@dataclass(frozen=True)
class Look:
    """What one product is made of, and the dice for its variations."""

    rng: Random
    body: Paint
    trim: Colour
    metal: Colour
    wood: Colour

    @property
    def plain(self) -> Paint:
        """The body's paint without its pattern."""
        return replace(self.body, pattern="plain")

    def chance(self, share: float) -> bool:
        """Say yes in this share of the products."""
        return self.rng.random() < share

    def between(self, low: float, high: float) -> float:
        """Give a length, evenly from low to high."""
        return self.rng.uniform(low, high)


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


class Pen:
    """Draws one product, supersampled, on a transparent layer."""

    def __init__(self, size: tuple[int, int], centre: Point, scale: Point, angle: float) -> None:
        """Place the product: its centre and scale in pixels (x negative: mirrored), its turn."""
        self.layer = Image.new("RGBA", (size[0] * SAMPLES, size[1] * SAMPLES))
        self._centre = (centre[0] * SAMPLES, centre[1] * SAMPLES)
        self._scale = (scale[0] * SAMPLES, scale[1] * SAMPLES)
        self._turn = (math.cos(math.radians(angle)), math.sin(math.radians(angle)))
        self._draw = ImageDraw.Draw(self.layer)

    def finished(self) -> Image.Image:
        """Give the layer at its final size, edges smooth."""
        return self.layer.reduce(SAMPLES)

    def fill(self, points: Iterable[Point], paint: Paint | Colour, *, alpha: int = 255) -> None:
        """Fill an outline; a bare colour is flat and may let the background through."""
        if not isinstance(paint, Paint):
            self._draw.polygon(self._place(points), fill=(*paint, alpha))
            return
        outline = list(points)
        placed = self._place(outline)
        left, top = (math.floor(min(p[axis] for p in placed)) for axis in (0, 1))
        right, bottom = (math.ceil(max(p[axis] for p in placed)) + 1 for axis in (0, 1))
        mask = Image.new("L", (right - left, bottom - top))
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in placed], fill=255)
        tile = Image.new("RGB", mask.size, paint.colour)
        brush = ImageDraw.Draw(tile)
        for mark in _marks(paint, outline):
            brush.polygon([(x - left, y - top) for x, y in self._place(mark)], fill=paint.second)
        light = Image.linear_gradient("L").crop((0, 0, 1, 256)).transpose(Image.Transpose.ROTATE_90)
        light = light.resize(mask.size)
        tile.paste(INK, mask=light.point([int(max(0, n - 90) * paint.shade) for n in range(256)]))
        tile.paste(
            (255, 255, 255),
            mask=light.point([int(max(0, 110 - n) * paint.shade) for n in range(256)]),
        )
        if paint.pattern != "plain":
            edge = [(x - left, y - top) for x, y in (*placed, placed[0])]
            brush.line(edge, fill=toned(paint.colour, 0.7), width=SAMPLES * 3, joint="curve")
        self.layer.paste(tile, (left, top), mask)

    def cut(self, points: Iterable[Point]) -> None:
        """Make a hole through which the background is seen."""
        self._draw.polygon(self._place(points), fill=(0, 0, 0, 0))

    def line(self, points: Iterable[Point], colour: Colour, width: float) -> None:
        """Draw a line with round joints and ends."""
        placed = self._place(points)
        pixels = max(SAMPLES, round(width * self._scale[1]))
        self._draw.line(placed, fill=(*colour, 255), width=pixels, joint="curve")
        for x, y in (placed[0], placed[-1]):
            reach = pixels / 2 - 0.5
            self._draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=(*colour, 255))

    def _place(self, points: Iterable[Point]) -> list[Point]:
        (cx, cy), (sx, sy), (cos, sin) = self._centre, self._scale, self._turn
        return [
            (cx + x * sx * cos - y * sy * sin, cy + x * sx * sin + y * sy * cos) for x, y in points
        ]


def _marks(paint: Paint, outline: Sequence[Point]) -> Iterable[Sequence[Point]]:
    """List the pattern's marks that may touch the outline."""
    if paint.pattern == "plain":
        return
    left, top = (min(p[axis] for p in outline) for axis in (0, 1))
    right, bottom = (max(p[axis] for p in outline) for axis in (0, 1))
    pitch = paint.pitch
    columns = [left + pitch * (n + 0.4) for n in range(math.ceil((right - left) / pitch))]
    rows = [top + pitch * (n + 0.4) for n in range(math.ceil((bottom - top) / pitch))]
    if paint.pattern in ("striped", "checked"):
        band = pitch * (0.45 if paint.pattern == "striped" else 0.25)
        yield from (box(left, y, right, y + band) for y in rows)
    if paint.pattern in ("pinstriped", "checked"):
        yield from (box(x, top, x + pitch * 0.25, bottom) for x in columns)
    if paint.pattern == "dotted":
        for n, y in enumerate(rows):
            shift = pitch / 2 * (n % 2)
            yield from (arc((x + shift, y), (pitch * 0.24, pitch * 0.24))[::4] for x in columns)


def _t_shirt(pen: Pen, look: Look) -> None:
    body, hem, depth = look.body, look.between(0.48, 0.6), look.between(-0.72, -0.56)
    cuff = ((0.93, 0.6), (0.7, 0.66)) if look.chance(0.35) else ((1.0, -0.24), (0.74, -0.02))
    collar = (0.2, -0.8) if look.chance(0.5) else (0.13, depth + 0.03)
    neck = curve((0, depth), collar, (0.25, -0.88)) if collar[1] > -0.8 else [(0, depth), collar]
    pen.fill(arc((0, -0.84), (0.25, 0.1)), toned(body.colour, 0.55))
    half = [*neck, (0.27, -0.88), (0.56, -0.77), *cuff, (0.5, -0.3), (hem * 0.96, 0.3), (hem, 0.92)]
    pen.fill(mirrored(half), body)
    seam = toned(body.colour, 0.72)
    ribs = look.trim if look.chance(0.5) else seam
    for side in (-1, 1):
        pen.line([(side * 0.5, -0.3), (side * 0.54, -0.55), (side * 0.52, -0.75)], seam, 0.015)
        pen.line([(side * x, y) for x, y in cuff], ribs, 0.05)
        pen.line([(side * x, y) for x, y in neck], ribs, 0.06)
    kind = look.rng.choice(("none", "none", "disc", "band", "pocket"))
    if kind == "disc":
        pen.fill(arc((0, -0.12), (0.24, 0.24)), look.trim)
    elif kind == "band":
        pen.fill(box(-hem + 0.04, -0.05, hem - 0.04, 0.14), look.trim)
    elif kind == "pocket":
        pen.fill(box(0.1, -0.3, 0.36, 0.0, radius=0.04), seam)


def _dress(pen: Pen, look: Look) -> None:
    body = look.body
    hem, flare = look.rng.choice((0.62, 0.8, 0.96, 0.98)), look.between(0.48, 0.78)
    waist = look.between(-0.28, -0.08)
    top: list[Point] = [(0, -0.66), (0.18, -0.7), (0.21, -0.98), (0.28, -0.98), (0.36, -0.56)]
    if look.chance(0.45):
        top = [*curve((0, -0.78), (0.12, -0.82), (0.18, -0.94)), (0.38, -0.88), (0.64, -0.5)]
        top += [(0.46, -0.4), (0.35, -0.54)]
        pen.fill(arc((0, -0.92), (0.17, 0.06)), toned(body.colour, 0.55))
    skirt = curve((0.25, waist), (0.34, waist + 0.22), (flare * 0.85, hem - 0.2), (flare, hem))
    pen.fill(mirrored([*top, *skirt, (flare * 0.5, hem + 0.03)]), body)
    fold = toned(body.colour, 0.78)
    for x in (-0.66, -0.3, 0.05, 0.4, 0.7):
        pen.line([(x * 0.3, waist + 0.12), (x * flare, hem - 0.05)], fold, 0.014)
    if look.chance(0.6):
        pen.fill(box(-0.26, waist - 0.05, 0.26, waist + 0.05, radius=0.02), look.trim)
    if look.chance(0.3):
        pen.line([(-flare, hem), (0, hem + 0.03), (flare, hem)], look.trim, 0.05)


def _trousers(pen: Pen, look: Look) -> None:
    body, hem = look.body, look.rng.choice((0.98, 0.98, 0.98, 0.2))
    ankle = look.between(0.18, 0.34) if hem > 0.5 else 0.38
    outer = curve((0.36, -0.95), (0.46, -0.5), (0.46, 0.0), (0.13 + ankle * 1.1, hem))
    half = [(0, -0.95), *outer, (0.13 + ankle * 0.1, hem + 0.01), (0.02, -0.3)]
    pen.fill(mirrored(half), body)
    seam = toned(body.colour, 0.66)
    pen.fill(box(-0.37, -0.97, 0.37, -0.86, radius=0.02), look.trim if look.chance(0.4) else seam)
    pen.line([(0, -0.86), (0, -0.3)], seam, 0.018)
    pen.line([(0, -0.5), (0.07, -0.56), (0.09, -0.85)], seam, 0.014)
    for side in (-1, 1):
        pen.line(
            [(side * x, y) for x, y in curve((0.2, -0.85), (0.27, -0.68), (0.44, -0.64))],
            seam,
            0.02,
        )
        crease = [(side * 0.24, -0.4), (side * (0.13 + ankle * 0.6), hem - 0.06)]
        pen.line(crease, toned(body.colour, 0.84), 0.014)
        cuff = [(side * (0.13 + ankle * 0.1), hem), (side * (0.13 + ankle * 1.1), hem)]
        pen.line(cuff, seam, 0.045)


def _mug(pen: Pen, look: Look) -> None:
    body, tall = look.body, look.between(0.62, 0.92)
    low, wide = look.between(0.4, 0.58), 0.6
    grip = arc((0.6, 0.02), (look.between(0.28, 0.38), tall * look.between(0.42, 0.6)), (-100, 100))
    pen.line(grip, toned(body.colour, 0.8), 0.15)
    bottom = curve((wide, -tall), (wide * 0.98, tall * 0.4), (low, tall * 0.93))
    pen.fill(mirrored([*bottom, (low * 0.8, tall), (0, tall + 0.03)]), body)
    pen.fill(arc((0, -tall), (wide, 0.13)), toned(body.colour, 1.35))
    pen.fill(arc((0, -tall + 0.01), (wide - 0.06, 0.095)), toned(body.colour, 0.45))
    if look.chance(0.4):
        pen.fill(arc((0, -tall + 0.035), (wide - 0.1, 0.065)), (92, 58, 36))
    kind = look.rng.choice(("none", "none", "disc", "band"))
    if kind == "disc":
        pen.fill(arc((-0.04, 0.1), (0.24, 0.24)), look.trim)
    elif kind == "band":
        rim = arc((0, tall * 0.3), (wide * 0.96, 0.1), (0, 180))
        pen.line(rim, look.trim, 0.12)


def _bottle(pen: Pen, look: Look) -> None:
    body, flask = look.body, look.chance(0.4)
    wide, neck = look.between(0.26, 0.36), look.between(0.08, 0.11)
    shoulder, throat = look.between(-0.3, 0.0), look.between(-0.66, -0.5)
    if flask:
        wide, neck, shoulder, throat = wide + 0.02, wide * 0.72, -0.5, -0.66
    side = curve((neck, throat), (neck + 0.02, throat + 0.08), (wide, shoulder), (wide, 0.0))
    foot = curve((wide, 0.86), (wide - 0.03, 0.95), (wide - 0.12, 0.97))
    pen.fill(mirrored([(neck, -0.9), *side, *foot]), body)
    cap = look.metal if look.chance(0.5) else look.trim
    pen.fill(
        box(-neck - 0.03, -0.98, neck + 0.03, -0.7 if flask else -0.82, radius=0.04), Paint(cap)
    )
    if flask and look.chance(0.5):
        pen.line(arc((0, -0.98), (neck * 0.7, 0.16), (190, 350)), toned(cap, 0.8), 0.06)
    if look.chance(0.65):
        top, bottom = look.between(0.05, 0.2), look.between(0.5, 0.75)
        label = CREAM if look.chance(0.6) else look.trim
        pen.fill(box(-wide, top, wide, bottom), Paint(label, shade=0.35))
        pen.fill(box(-wide * 0.55, top + 0.08, wide * 0.55, top + 0.14), toned(body.colour, 0.7))
        pen.fill(box(-wide * 0.4, top + 0.2, wide * 0.4, top + 0.23), toned(label, 0.7))
    pen.line([(-wide * 0.72, shoulder + 0.1), (-wide * 0.72, 0.8)], toned(body.colour, 1.5), 0.03)


def _pan(pen: Pen, look: Look) -> None:
    body, grip = look.plain, look.wood if look.chance(0.5) else INK
    if look.chance(0.55):
        middle, reach = (-0.4, 0.0), look.between(0.5, 0.6)
        pen.fill([(0.1, -0.07), (0.45, -0.05), (0.45, 0.05), (0.1, 0.07)], Paint(look.metal))
        pen.fill(box(0.36, -0.085, 1.0, 0.085, radius=0.08), Paint(grip, shade=0.25))
        pen.cut(arc((0.9, 0), (0.045, 0.035)))
        pen.fill(arc(middle, (reach, reach)), body)
        pen.fill(
            arc(middle, (reach * 0.9, reach * 0.9)), Paint(INK if look.chance(0.6) else look.metal)
        )
        inner = INK if look.chance(0.5) else toned(look.metal, 0.7)
        pen.fill(arc(middle, (reach * 0.74, reach * 0.74)), Paint(toned(inner, 1.12), shade=0.35))
        pen.line(arc(middle, (reach * 0.6, reach * 0.6), (190, 260)), toned(inner, 1.45), 0.025)
        return
    deep = look.between(0.14, 0.42)
    pen.line(curve((0.2, -0.12), (0.5, -0.16), (0.96, -0.26)), grip, 0.1)
    pen.line([(0.18, -0.1), (0.42, -0.14)], look.metal, 0.08)
    foot = curve((0.28, -0.18), (0.25, deep * 0.6), (0.12, deep))
    outline = [*foot, *((-0.66 - x, y) for x, y in reversed(foot))]
    pen.fill(outline, body)
    pen.line([(-0.96, -0.18), (0.3, -0.18)], toned(look.metal, 1.2), 0.05)
    if look.chance(0.5):
        pen.fill(arc((-0.33, -0.2), (0.6, 0.2), (180, 360)), Paint(look.metal))
        pen.fill(arc((-0.33, -0.44), (0.09, 0.06)), grip)


def _chair(pen: Pen, look: Look) -> None:
    seat, wood = look.body, look.wood
    dark, view = toned(wood, 0.72), look.rng.choice(("front", "side", "armchair"))
    if view == "armchair":
        for x in (-0.5, 0.5):
            pen.line([(x, 0.7), (x * 1.1, 0.97)], wood, 0.09)
        pen.fill(box(-0.58, -0.9, 0.58, 0.6, radius=0.3), seat)
        pen.fill(box(-0.5, 0.1, 0.5, 0.36, radius=0.1), Paint(toned(seat.colour, 1.25), shade=0.3))
        pen.fill(
            box(-0.55, 0.34, 0.55, 0.78, radius=0.05), Paint(toned(seat.colour, 0.8), shade=0.3)
        )
        for side in (-1, 1):
            left, right = sorted((side * 0.48, side * 0.76))
            pen.fill(box(left, -0.12, right, 0.8, radius=0.13), look.plain)
        return
    if view == "side":
        pen.line([(-0.3, 0.1), (-0.2, 0.9)], dark, 0.07)
        pen.line([(0.3, 0.1), (0.36, 0.9)], dark, 0.07)
        pen.line(curve((-0.58, -0.96), (-0.44, -0.3), (-0.42, 0.1), (-0.52, 0.97)), wood, 0.09)
        pen.line([(0.46, 0.1), (0.54, 0.97)], wood, 0.09)
        pen.line([(-0.42, 0.5), (0.48, 0.5)], dark, 0.05)
        pen.fill(box(-0.48, -0.02, 0.58, 0.14, radius=0.06), seat)
        if look.chance(0.6):
            pen.line(curve((-0.52, -0.86), (-0.42, -0.5), (-0.37, -0.25)), seat.colour, 0.14)
        return
    for x in (-0.38, 0.38):
        pen.line([(x, 0.2), (x * 1.05, 0.8)], dark, 0.07)
        pen.line([(x * 1.1, -0.92), (x * 1.1, 0.1)], wood, 0.08)
    if look.chance(0.5):
        pen.fill(box(-0.46, -0.97, 0.46, look.between(-0.5, -0.3), radius=0.1), seat)
    else:
        for y in (-0.9, -0.62, -0.34):
            pen.line([(-0.42, y), (0.42, y)], wood, 0.12)
    pen.fill([(-0.44, 0.0), (0.44, 0.0), (0.58, 0.24), (-0.58, 0.24)], seat)
    pen.fill(box(-0.58, 0.24, 0.58, 0.34, radius=0.03), toned(seat.colour, 0.66))
    for x in (-0.52, 0.52):
        pen.line([(x, 0.36), (x * 1.06, 0.96)], wood, 0.09)


def _lamp(pen: Pen, look: Look) -> None:
    shade, metal, view = look.body, look.metal, look.rng.choice(("table", "floor", "desk"))
    glow = (255, 232, 160)
    if view == "desk":
        pen.fill(arc((-0.25, 0.9), (0.42, 0.09)), Paint(toned(shade.colour, 0.7)))
        elbow = (look.between(-0.6, -0.4), look.between(-0.15, 0.1))
        pen.line([(-0.25, 0.88), elbow, (0.22, -0.66)], metal, 0.065)
        pen.fill(arc(elbow, (0.07, 0.07)), INK)
        pen.fill([(0.42, -0.16), (0.86, -0.42), (0.7, -0.12)], glow, alpha=210)
        pen.fill(
            curve((0.08, -0.72), (0.26, -0.92), (0.9, -0.46), (0.4, -0.08), (0.08, -0.72)),
            look.plain,
        )
        pen.fill(arc((0.2, -0.82), (0.1, 0.1)), toned(shade.colour, 0.7))
        return
    top, low, drop = look.between(0.18, 0.32), look.between(0.42, 0.56), look.between(-0.32, -0.1)
    if view == "floor":
        top, low, drop = top * 0.75, low * 0.72, -0.56
        pole = look.rng.choice((0.9, 0.9, -0.28))
        if pole < 0:
            for x in (-0.34, 0.02, 0.34):
                pen.line([(x * 0.1, -0.3), (x, 0.96)], look.wood, 0.05)
        else:
            pen.fill(arc((0, 0.92), (0.3, 0.06)), Paint(metal))
        pen.line([(0, drop), (0, pole)], metal, 0.05)
    else:
        foot = toned(look.trim, 0.9) if look.chance(0.6) else look.wood
        pen.line([(0, drop), (0, 0.3)], metal, 0.07)
        belly = look.between(0.16, 0.34)
        jar = curve((0.06, 0.02), (0.1, 0.12), (belly, look.between(0.35, 0.6)), (0.12, 0.86))
        pen.fill(mirrored(jar), Paint(foot))
        pen.fill(box(-0.28, 0.85, 0.28, 0.96, radius=0.04), Paint(toned(foot, 0.75)))
    pen.fill(arc((0, drop), (low, 0.06)), glow)
    pen.fill([(-top, -0.96), (top, -0.96), (low, drop), (-low, drop)], shade)
    pen.line([(-low, drop), (low, drop)], toned(shade.colour, 0.75), 0.03)


def _table(pen: Pen, look: Look) -> None:
    wood = look.wood if look.chance(0.65) else look.body.colour
    dark, leg = toned(wood, 0.7), look.metal if look.chance(0.3) else toned(wood, 0.85)
    if look.chance(0.4):
        if look.chance(0.5):
            pen.fill(arc((0, 0.62), (0.42, 0.1)), Paint(leg))
            pen.fill(mirrored([(0.1, -0.2), (0.08, 0.2), (0.18, 0.6)]), Paint(leg))
        else:
            for x in (-0.7, 0.0, 0.7):
                pen.line([(x * 0.7, -0.2), (x, 0.68)], leg, 0.08)
        pen.fill(arc((0, -0.26), (0.96, 0.24)), dark)
        pen.fill(arc((0, -0.33), (0.96, 0.24)), Paint(wood))
        return
    back, thick = look.between(0.66, 0.82), look.between(0.06, 0.1)
    tall, splay = look.between(0.35, 0.72), look.between(0.84, 0.94)
    for x in (-1, 1):
        pen.line(
            [(x * (back - 0.08), -0.1), (x * (back - 0.1), tall - 0.18)], toned(leg, 0.7), 0.07
        )
    pen.fill(box(-0.86, -0.08, 0.86, 0.1), toned(wood, 0.58))
    if look.chance(0.4):
        pen.fill(box(-0.4, -0.04, 0.4, 0.09), toned(wood, 0.8))
        pen.fill(arc((0, 0.025), (0.04, 0.03)), look.metal)
    for x in (-1, 1):
        pen.line([(x * 0.86, -0.05), (x * splay, tall)], leg, 0.09)
    pen.fill([(-back, -0.46), (back, -0.46), (1, -0.14), (-1, -0.14)], Paint(wood))
    pen.fill(box(-1, -0.14, 1, -0.14 + thick), dark)


def _handbag(pen: Pen, look: Look) -> None:
    body, top, low = look.body, look.between(0.5, 0.72), look.between(0.64, 0.86)
    dark, high = toned(body.colour, 0.66), look.between(-0.3, -0.12)
    reach = look.between(0.3, 0.42)
    arch = arc((0, high), (reach, look.between(0.5, 0.68)), (180, 360))
    pen.line([(x * 0.9, y - 0.07) for x, y in arch], toned(dark, 0.7), 0.06)
    side = curve((top, high), (low, 0.4), (low, 0.72), (low - 0.14, 0.86))
    pen.fill(mirrored(side), body)
    kind = look.rng.choice(("flap", "tote", "zip"))
    if kind == "flap":
        flap = curve((top, high), (top * 0.9, 0.2), (0.2, 0.4), (0, 0.42))
        pen.fill(mirrored(flap), Paint(toned(body.colour, 0.82)))
        pen.fill(box(-0.09, 0.3, 0.09, 0.5, radius=0.04), look.metal)
    elif kind == "zip":
        pen.line([(-top + 0.06, high + 0.1), (top - 0.06, high + 0.1)], look.metal, 0.035)
        pen.fill(box(-0.4, 0.3, 0.4, 0.74, radius=0.06), toned(body.colour, 0.8))
    else:
        pen.fill(box(-0.13, 0.12, 0.13, 0.36, radius=0.03), look.trim)
    pen.line([(-low + 0.1, 0.84), (low - 0.1, 0.84)], dark, 0.05)
    pen.line(arch, dark, 0.07)
    for x in (-reach, reach):
        pen.line([(x, high), (x, high + 0.12)], look.metal, 0.08)


def _watch(pen: Pen, look: Look) -> None:
    strap = look.body if look.chance(0.7) else Paint(look.metal)
    wide, case = look.between(0.2, 0.27), look.between(0.4, 0.5)
    dial = look.rng.choice((CREAM, INK, look.trim))
    hand = INK if sum(dial) > 380 else CREAM
    pen.fill(
        mirrored([(wide * 0.78, -0.98), (wide, -0.3), (wide, 0.3), (wide * 0.78, 0.98)]), strap
    )
    for step in range(4):
        y = 0.6 + 0.09 * step
        pen.fill(arc((0, y), (0.03, 0.025)), toned(strap.colour, 0.5))
    pen.line([(-wide * 0.8, -0.93), (wide * 0.8, -0.93)], look.metal, 0.07)
    pen.fill(box(case - 0.05, -0.07, case + 0.1, 0.07, radius=0.03), toned(look.metal, 0.8))
    if look.chance(0.7):
        pen.fill(arc((0, 0), (case, case)), Paint(look.metal, shade=0.7))
        pen.fill(arc((0, 0), (case * 0.82, case * 0.82)), dial)
    else:
        pen.fill(
            box(-case * 0.9, -case, case * 0.9, case, radius=0.12), Paint(look.metal, shade=0.7)
        )
        pen.fill(box(-case * 0.74, -case * 0.84, case * 0.74, case * 0.84, radius=0.08), dial)
    ring = arc((0, 0), (case * 0.68, case * 0.68), (0, 400))[::4]
    for hour in range(12):
        x, y = math.cos(hour * math.pi / 6), math.sin(hour * math.pi / 6)
        pen.line([(x * case * 0.6, y * case * 0.6), (x * case * 0.7, y * case * 0.7)], hand, 0.025)
    for length, width in ((0.36, 0.045), (0.55, 0.028)):
        x, y = look.rng.choice(ring)
        size = math.hypot(x, y)
        pen.line(
            [(0, 0), (x / size * case * length * 1.1, y / size * case * length * 1.1)], hand, width
        )


def _sunglasses(pen: Pen, look: Look) -> None:
    frame, tint = look.body.colour, look.rng.choice((INK, (70, 44, 30), (28, 62, 74), look.trim))
    tint, rim = toned(tint, 0.75), look.between(0.05, 0.1)
    kind, folded = look.rng.choice(("round", "square", "cat", "pilot")), look.chance(0.65)
    lens = {
        "round": arc((0.5, 0.02), (0.36, 0.36)),
        "square": box(0.13, -0.27, 0.88, 0.28, radius=0.13),
        "cat": curve(
            (0.16, -0.2), (0.5, -0.24), (0.9, -0.36), (0.8, 0.14), (0.5, 0.28), (0.2, 0.14)
        ),
        "pilot": curve(
            (0.14, -0.24), (0.5, -0.28), (0.88, -0.22), (0.8, 0.26), (0.48, 0.38), (0.18, 0.1)
        ),
    }[kind]
    for side in (-1, 1):
        if folded:
            pen.line(
                [(side * 0.9, -0.2), (side * 0.74, -0.5), (side * 0.36, -0.56)],
                toned(frame, 0.7),
                0.06,
            )
        pen.line([(side * 0.86, -0.16), (side * 0.97, -0.2)], frame, 0.1)
    pen.line(arc((0, -0.02), (0.18, 0.12), (190, 350)), frame, 0.08)
    if kind == "pilot":
        pen.line([(-0.3, -0.27), (0.3, -0.27)], frame, 0.05)
    for side in (-1, 1):
        outline = [(side * x, y) for x, y in lens]
        pen.fill(outline, tint, alpha=225)
        pen.line([*outline, outline[0], outline[1]], frame, rim)
        pen.line([(side * 0.5 - 0.14, 0.08), (side * 0.5 + 0.02, -0.12)], toned(tint, 1.4), 0.04)


@dataclass(frozen=True)
class Kind:
    """A leaf category: its words, its share of the catalog, and how its products are drawn."""

    category_id: str
    name: str
    parent: str
    nouns: tuple[str, ...]
    materials: tuple[str, ...]
    share: float
    reach: Point
    draw: Callable[[Pen, Look], None]
    patterned: bool = False
    stands: bool = False


def kinds() -> tuple[Kind, ...]:
    """List the leaf categories, siblings together."""
    cloth, clay = ("cotton", "linen", "jersey", "organic"), ("ceramic", "enamel", "stoneware")
    wood, skin = ("oak", "walnut", "beech", "steel"), ("leather", "canvas", "vegan leather")
    return (
        Kind(
            "t-shirt",
            "T-shirt",
            "Clothing",
            ("T-shirt", "tee"),
            cloth,
            9.5,
            (1, 0.95),
            _t_shirt,
            patterned=True,
        ),
        Kind(
            "dress",
            "Dress",
            "Clothing",
            ("dress", "frock"),
            cloth,
            7,
            (0.8, 1),
            _dress,
            patterned=True,
        ),
        Kind(
            "trousers",
            "Trousers",
            "Clothing",
            ("trousers", "chinos"),
            cloth,
            5,
            (0.6, 1),
            _trousers,
            patterned=True,
        ),
        Kind(
            "mug",
            "Mug",
            "Kitchen",
            ("mug", "cup"),
            clay,
            9.5,
            (0.95, 0.95),
            _mug,
            patterned=True,
            stands=True,
        ),
        Kind(
            "bottle",
            "Bottle",
            "Kitchen",
            ("bottle", "flask"),
            ("steel", "glass"),
            6,
            (0.45, 1.02),
            _bottle,
            patterned=True,
            stands=True,
        ),
        Kind(
            "pan", "Pan", "Kitchen", ("pan", "skillet"), ("cast-iron", "copper"), 4, (1, 0.6), _pan
        ),
        Kind(
            "chair",
            "Chair",
            "Furniture",
            ("chair", "seat"),
            wood,
            7,
            (0.8, 1),
            _chair,
            patterned=True,
            stands=True,
        ),
        Kind(
            "lamp",
            "Lamp",
            "Furniture",
            ("lamp", "light"),
            ("linen", "brass"),
            6,
            (0.7, 1),
            _lamp,
            patterned=True,
            stands=True,
        ),
        Kind(
            "table",
            "Table",
            "Furniture",
            ("table", "desk"),
            wood,
            4.5,
            (1, 0.75),
            _table,
            stands=True,
        ),
        Kind(
            "handbag",
            "Handbag",
            "Accessories",
            ("handbag", "bag"),
            skin,
            6.5,
            (0.88, 0.92),
            _handbag,
            patterned=True,
            stands=True,
        ),
        Kind(
            "watch",
            "Watch",
            "Accessories",
            ("watch", "wristwatch"),
            ("steel", "leather"),
            4.5,
            (0.6, 1),
            _watch,
        ),
        Kind(
            "sunglasses",
            "Sunglasses",
            "Accessories",
            ("sunglasses", "shades"),
            ("acetate", "metal"),
            3.5,
            (1.03, 0.6),
            _sunglasses,
        ),
    )

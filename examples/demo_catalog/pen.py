"""What a product is made of, and the pen that places, turns, mirrors and supersamples it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

from PIL import Image, ImageDraw

from examples.demo_catalog.shapes import CREAM, INK, Colour, Point, arc, box, toned

SAMPLES = 2


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
        """Return a length, evenly from low to high."""
        return self.rng.uniform(low, high)


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
        """Return the layer at its final size, edges smooth."""
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

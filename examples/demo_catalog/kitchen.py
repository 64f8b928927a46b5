"""Kitchenware of the demo's catalog."""

from examples.demo_catalog.pen import Look, Paint, Pen
from examples.demo_catalog.shapes import CREAM, INK, arc, box, curve, mirrored, toned


def draw_mug(pen: Pen, look: Look) -> None:
    """Draw a mug."""
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


def draw_bottle(pen: Pen, look: Look) -> None:
    """Draw a bottle."""
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


def draw_pan(pen: Pen, look: Look) -> None:
    """Draw a pan."""
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

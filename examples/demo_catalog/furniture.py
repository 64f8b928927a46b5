"""Furniture of the demo's catalog."""

from examples.demo_catalog.pen import Look, Paint, Pen
from examples.demo_catalog.shapes import INK, arc, box, curve, mirrored, toned


def draw_chair(pen: Pen, look: Look) -> None:
    """Draw a chair."""
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


def draw_lamp(pen: Pen, look: Look) -> None:
    """Draw a lamp."""
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


def draw_table(pen: Pen, look: Look) -> None:
    """Draw a table."""
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

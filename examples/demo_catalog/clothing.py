"""Clothing of the demo's catalog."""

from examples.demo_catalog.pen import Look, Pen
from examples.demo_catalog.shapes import Point, arc, box, curve, mirrored, toned


def draw_t_shirt(pen: Pen, look: Look) -> None:
    """Draw a T-shirt."""
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


def draw_dress(pen: Pen, look: Look) -> None:
    """Draw a dress."""
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


def draw_trousers(pen: Pen, look: Look) -> None:
    """Draw trousers."""
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

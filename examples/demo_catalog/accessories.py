"""Accessories of the demo's catalog."""

import math

from examples.demo_catalog.pen import Look, Paint, Pen
from examples.demo_catalog.shapes import CREAM, INK, arc, box, curve, mirrored, toned


def draw_handbag(pen: Pen, look: Look) -> None:
    """Draw a handbag."""
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


def draw_watch(pen: Pen, look: Look) -> None:
    """Draw a wristwatch."""
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


def draw_sunglasses(pen: Pen, look: Look) -> None:
    """Draw sunglasses."""
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

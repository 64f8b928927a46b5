"""The categories of the demo's catalog: their words, their share, and how they are drawn."""

from collections.abc import Callable
from dataclasses import dataclass

from examples.demo_catalog.accessories import draw_handbag, draw_sunglasses, draw_watch
from examples.demo_catalog.clothing import draw_dress, draw_t_shirt, draw_trousers
from examples.demo_catalog.furniture import draw_chair, draw_lamp, draw_table
from examples.demo_catalog.kitchen import draw_bottle, draw_mug, draw_pan
from examples.demo_catalog.pen import Look, Pen
from examples.demo_catalog.shapes import Point


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


CLOTH, CLAY = "cotton, linen, jersey, organic", "ceramic, enamel, stoneware"
WOOD, SKIN = "oak, walnut, beech, steel", "leather, canvas, vegan leather"
# category_id and name, parent, nouns, materials, share, reach, and whether products are
# patterned (p) and stand on something (s)
TABLE: tuple[tuple[str, str, str, str, float, Point, str, Callable[[Pen, Look], None]], ...] = (
    ("T-shirt", "Clothing", "T-shirt, tee", CLOTH, 9.5, (1, 0.95), "p", draw_t_shirt),
    ("Dress", "Clothing", "dress, frock", CLOTH, 7, (0.8, 1), "p", draw_dress),
    ("Trousers", "Clothing", "trousers, chinos", CLOTH, 5, (0.6, 1), "p", draw_trousers),
    ("Mug", "Kitchen", "mug, cup", CLAY, 9.5, (0.95, 0.95), "ps", draw_mug),
    ("Bottle", "Kitchen", "bottle, flask", "steel, glass", 6, (0.45, 1.02), "ps", draw_bottle),
    ("Pan", "Kitchen", "pan, skillet", "cast-iron, copper", 4, (1, 0.6), "", draw_pan),
    ("Chair", "Furniture", "chair, seat", WOOD, 7, (0.8, 1), "ps", draw_chair),
    ("Lamp", "Furniture", "lamp, light", "linen, brass", 6, (0.7, 1), "ps", draw_lamp),
    ("Table", "Furniture", "table, desk", WOOD, 4.5, (1, 0.75), "s", draw_table),
    ("Handbag", "Accessories", "handbag, bag", SKIN, 6.5, (0.88, 0.92), "ps", draw_handbag),
    ("Watch", "Accessories", "watch, wristwatch", "steel, leather", 4.5, (0.6, 1), "", draw_watch),
    (
        "Sunglasses",
        "Accessories",
        "sunglasses, shades",
        "acetate, metal",
        3.5,
        (1.03, 0.6),
        "",
        draw_sunglasses,
    ),
)


def kinds() -> tuple[Kind, ...]:
    """List the leaf categories, siblings together."""
    return tuple(
        Kind(
            category_id=name.lower(),
            name=name,
            parent=parent,
            nouns=tuple(nouns.split(", ")),
            materials=tuple(materials.split(", ")),
            share=share,
            reach=reach,
            draw=draw,
            patterned="p" in also,
            stands="s" in also,
        )
        for name, parent, nouns, materials, share, reach, also, draw in TABLE
    )

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
            draw_t_shirt,
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
            draw_dress,
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
            draw_trousers,
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
            draw_mug,
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
            draw_bottle,
            patterned=True,
            stands=True,
        ),
        Kind(
            "pan",
            "Pan",
            "Kitchen",
            ("pan", "skillet"),
            ("cast-iron", "copper"),
            4,
            (1, 0.6),
            draw_pan,
        ),
        Kind(
            "chair",
            "Chair",
            "Furniture",
            ("chair", "seat"),
            wood,
            7,
            (0.8, 1),
            draw_chair,
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
            draw_lamp,
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
            draw_table,
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
            draw_handbag,
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
            draw_watch,
        ),
        Kind(
            "sunglasses",
            "Sunglasses",
            "Accessories",
            ("sunglasses", "shades"),
            ("acetate", "metal"),
            3.5,
            (1.03, 0.6),
            draw_sunglasses,
        ),
    )

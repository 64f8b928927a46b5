import csv
import hashlib
from collections import Counter
from pathlib import Path

import pytest
import yaml
from PIL import Image

from examples.demo_catalog.catalog import BROKEN, COLUMNS, draw_catalog
from examples.demo_catalog.pictures import EXIF_ORIENTATION
from lib.errors import InputError

ITEMS = 120


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_catalog(tmp_path_factory.mktemp("shop"), items=ITEMS).parent


def rows(shop: Path, name: str = "catalog.csv") -> list[dict[str, str]]:
    with (shop / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def leaves(shop: Path) -> set[str]:
    taxonomy = yaml.safe_load((shop / "taxonomy.yaml").read_text(encoding="utf-8"))
    return {leaf["id"] for parent in taxonomy["categories"] for leaf in parent["children"]}


def labels(shop: Path) -> dict[str, str]:
    both = rows(shop) + rows(shop, "labelled.csv")
    return {row["uri"]: row["category_id"] for row in both if row["category_id"]}


def digests(shop: Path) -> dict[str, str]:
    return {
        path.relative_to(shop).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in shop.rglob("*")
        if path.is_file()
    }


def decodes(path: Path) -> bool:
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as image:
            image.load()
    except (OSError, Image.DecompressionBombError):
        return False
    return True


def test_same_seed_draws_the_same_bytes(tmp_path: Path) -> None:
    first, second = (draw_catalog(tmp_path / name, items=60) for name in ("one", "two"))
    assert digests(first.parent) == digests(second.parent)


def test_another_seed_draws_another_shop(tmp_path: Path) -> None:
    one, two = (draw_catalog(tmp_path / f"{n}", items=60, seed=n).parent for n in (1, 2))
    assert digests(one)["catalog.csv"] != digests(two)["catalog.csv"]


def test_the_catalog_has_as_many_items_as_asked_for_each_once(shop: Path) -> None:
    catalog = rows(shop)
    assert tuple(catalog[0]) == COLUMNS
    assert len({row["item_id"] for row in catalog}) == len(catalog) == ITEMS
    assert len({row["uri"] for row in catalog}) == ITEMS


def test_too_few_items_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 60 items, not 10"):
        draw_catalog(tmp_path, items=10)


def test_the_taxonomy_has_twelve_leaves_under_four_parents(shop: Path) -> None:
    taxonomy = yaml.safe_load((shop / "taxonomy.yaml").read_text(encoding="utf-8"))
    assert taxonomy["version"] == "1"
    assert [len(parent["children"]) for parent in taxonomy["categories"]] == [3, 3, 3, 3]
    assert len(leaves(shop)) == 12
    assert all(
        set(leaf) == {"id", "name"}
        for parent in taxonomy["categories"]
        for leaf in parent["children"]
    )


def test_every_leaf_of_the_taxonomy_has_labelled_items(shop: Path) -> None:
    counts = Counter(row["category_id"] for row in rows(shop, "labelled.csv"))
    assert set(counts) == leaves(shop)
    assert min(counts.values()) >= 2


def test_every_leaf_of_the_taxonomy_has_held_out_items(shop: Path) -> None:
    assert {row["category_id"] for row in rows(shop)} - {""} == leaves(shop)


def test_no_labelled_item_gives_its_category_away_in_the_catalog(shop: Path) -> None:
    known = {row["item_id"]: row for row in rows(shop, "labelled.csv")}
    again = [row for row in rows(shop) if row["item_id"] in known]
    assert len(again) == len(known)
    assert all(row["category_id"] == "" for row in again)
    assert all(row["uri"] == known[row["item_id"]]["uri"] for row in again)


def test_about_two_in_five_items_are_labelled(shop: Path) -> None:
    assert 0.3 <= len(rows(shop, "labelled.csv")) / ITEMS <= 0.5


def test_some_categories_are_larger_than_others(shop: Path) -> None:
    counts = Counter(labels(shop).values())
    assert 2 <= max(counts.values()) / min(counts.values()) <= 4


def test_every_uri_in_the_catalog_but_the_missing_one_exists(shop: Path) -> None:
    absent = [row for row in rows(shop) if not (shop / row["uri"]).is_file()]
    assert len(absent) == 1
    assert absent[0]["category_id"] == ""


def test_no_path_reveals_a_category(shop: Path) -> None:
    assert not [row for row in rows(shop) for leaf in leaves(shop) if leaf in row["uri"]]


def test_every_item_with_a_label_decodes_and_no_broken_one_does(shop: Path) -> None:
    sound = {row["uri"] for row in rows(shop) if decodes(shop / row["uri"])}
    assert sound == set(labels(shop))
    assert len(sound) == ITEMS - len(BROKEN)


def test_the_bomb_is_a_tiny_file_of_billions_of_pixels(shop: Path) -> None:
    broken = [shop / row["uri"] for row in rows(shop) if row["uri"] not in labels(shop)]
    small = [path for path in broken if path.is_file() and path.stat().st_size < 200]
    headers = [path.read_bytes()[16:24] for path in small if b"IHDR" in path.read_bytes()]
    assert headers == [(60_000).to_bytes(4, "big") * 2]


def test_images_come_in_several_modes_and_two_are_turned(shop: Path) -> None:
    seen: set[tuple[str | None, str]] = set()
    turned = 0
    for uri in labels(shop):
        with Image.open(shop / uri) as image:
            seen.add((image.format, image.mode))
            turned += image.getexif().get(EXIF_ORIENTATION, 1) != 1
            assert 160 <= min(image.size) <= max(image.size) <= 480
    assert seen == {("JPEG", mode) for mode in ("RGB", "L")} | {
        ("PNG", mode) for mode in ("RGB", "P", "RGBA")
    }
    assert turned == 2


def test_some_titles_do_not_name_the_product(shop: Path) -> None:
    label = labels(shop)
    silent = [
        row for row in rows(shop) if label.get(row["uri"], "-").lower() not in row["name"].lower()
    ]
    assert 0 < len(silent) < ITEMS
    assert all(" No. " in row["name"] for row in rows(shop))


def test_a_feed_names_some_items_otherwise_and_some_that_the_catalog_lacks(shop: Path) -> None:
    known = {row["uri"]: row["name"] for row in rows(shop) + rows(shop, "labelled.csv")}
    feed = rows(shop, "feed.csv")
    shared = [row for row in feed if row["uri"] in known]
    assert len(shared) > 5
    assert len(feed) - len(shared) == 10
    for row in shared:
        assert row["name"] != known[row["uri"]]
        assert row["name"].split()[-1] == known[row["uri"]].split()[-1]


def test_the_examples_of_a_tag_are_what_titles_say(shop: Path) -> None:
    titles = {row["item_id"]: row["name"].split() for row in rows(shop)}
    examples = rows(shop, "tags.csv")
    assert {row["tag"] for row in examples} == {"striped", "dotted"}
    for row in examples:
        assert (row["tag"] in titles[row["item_id"]]) == (row["holds"] == "yes")

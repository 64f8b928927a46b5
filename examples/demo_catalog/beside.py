"""What lies beside the demo's catalog: a supplier's feed, and examples of tags."""

import csv
from collections.abc import Sequence
from pathlib import Path

Named = tuple[str, str, str]  # item id, uri and title

FEED_EVERY = 12  # of the catalog's items, one is in the feed
STRANGERS = 10  # in the feed, that the catalog does not have
TAGS = ("striped", "dotted")
EXAMPLES, COUNTER_EXAMPLES = 30, 50  # of a tag, at most


def write_feed(path: Path, items: Sequence[Named]) -> None:
    """Write a manifest as a supplier would: other ids, other titles, and some other products."""
    known = items[::FEED_EVERY]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("item_id", "uri", "name"))
        for number, (_, uri, title) in enumerate(known):
            *words, _, code = title.split()
            writer.writerow((f"sku-{number:03d}", uri, f"{' '.join(words[::-1]).lower()} {code}"))
        for number in range(STRANGERS):
            sku = f"sku-{len(known) + number:03d}"
            writer.writerow((sku, f"images/{sku}.jpg", f"garden gnome {90_000 + number}"))


def write_tags(path: Path, items: Sequence[Named]) -> None:
    """Write examples and counter-examples of patterns, as their titles tell them."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("tag", "item_id", "holds"))
        for tag in TAGS:
            having = [item_id for item_id, _, title in items if tag in title.split()]
            others = [item_id for item_id, _, title in items if tag not in title.split()]
            writer.writerows((tag, each, "yes") for each in having[:EXAMPLES])
            writer.writerows((tag, each, "no") for each in others[:COUNTER_EXAMPLES])

"""The report of a tagging: the best and the borderline of each tag, as a page of pictures."""

from collections.abc import Sequence

from lib.images.config import ReadingConfig
from lib.images.thumbnails import read_thumbnails
from lib.reports.data import Thumbnail
from lib.reports.links import image_link
from lib.reports.render import render_tags
from lib.reports.tag_data import TagReport, TagSheet
from lib.search.items import Items
from lib.storage.storage import Storage
from pipelines.tag import Tagged

SHOWN = 12  # pictures of each kind


def tag_report(tagged: Sequence[Tagged], run_id: str, items: Items, storage: Storage) -> str:
    """Return the page; raises as `read_thumbnails`."""
    sheets = []
    for each in tagged:
        likely = len(each.rows)
        edge = min(max(each.accepted - SHOWN // 2, SHOWN), max(likely - SHOWN, SHOWN))
        if not each.accepted:  # nothing is accepted: the least sure of the likely ones
            edge = max(likely - SHOWN, SHOWN)
        low, high = each.head.low, each.head.high
        sheets.append(
            TagSheet(
                tag=each.examples.tag,
                sentence=each.sentence,
                accepted=each.accepted,
                review=likely - each.accepted,
                examples=(each.head.positive, each.head.negative),
                precision=None if low is None or high is None else (low, high),
                best=_pictures(each, 0, items, storage),
                borderline=_pictures(each, edge, items, storage),
            )
        )
    return render_tags(TagReport(run_id=run_id, tags=sheets, items=len(items.places)))


def _pictures(tagged: Tagged, start: int, items: Items, storage: Storage) -> list[Thumbnail]:
    shown = slice(start, start + SHOWN)
    rows = items.rows.take(tagged.rows[shown]).to_pylist()
    pictures = read_thumbnails([row["uri"] for row in rows], ReadingConfig(), storage.config)
    return [
        Thumbnail(
            jpeg=jpeg,
            item_id=row["item_id"],
            name=row.get("name"),
            category=row["category_path"] or "no label",
            confidence=float(probability),
            for_review=bool(probability < tagged.head.threshold),
            link=image_link(row["uri"], storage.config),
        )
        for row, jpeg, probability in zip(rows, pictures, tagged.probability[shown], strict=True)
    ]

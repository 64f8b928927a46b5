"""What a search has found, as a page of pictures."""

from lib.images.config import ReadingConfig
from lib.images.thumbnails import read_thumbnails
from lib.reports.data import Thumbnail
from lib.reports.links import image_link
from lib.reports.render import render_search
from lib.reports.search_data import SearchReport
from lib.search.catalog import Hit
from lib.storage.storage import Storage

UNSURE = "review"


def contact_sheet(query: str, hits: list[Hit], items: int, storage: Storage) -> str:
    """Return the page of what was found.

    Args:
        query: what was looked for.
        hits: what was found, the best first.
        items: that could be found.
        storage: how to reach the images.

    Raises:
        ReshelveError: the process that decodes the images cannot be started.
    """
    pictures = read_thumbnails([hit.uri for hit in hits], ReadingConfig(), storage.config)
    thumbnails = [
        Thumbnail(
            jpeg=jpeg,
            item_id=hit.item_id,
            name=hit.name,
            category=hit.category_path or "no label",
            confidence=hit.score,
            for_review=hit.decision == UNSURE,
            link=image_link(hit.uri, storage.config),
        )
        for hit, jpeg in zip(hits, pictures, strict=True)
    ]
    return render_search(SearchReport(run_id=query, hits=thumbnails, items=items))

"""What stands on a page of the desk."""

import re
from html import unescape
from urllib.parse import unquote


def items_of(html: str) -> list[str]:
    """The ids of the items that can be chosen, in their order."""
    return [
        unquote(each) for each in re.findall(r'type="checkbox" name="item" value="(.*?)"', html)
    ]


def link_of(html: str, rel: str) -> str | None:
    """Where a link of a kind leads, or None where there is none."""
    found = re.search(rf'rel="{rel}" href="(.*?)"', html)
    return unescape(found[1]) if found else None


def text_of(html: str) -> str:
    """The text of a page, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).replace("\u203a", ">").split())

"""Reads a page the way a browser would: its tags, its attributes and its words."""

from html.parser import HTMLParser

_VOID = {"meta", "img", "link", "br", "hr", "input"}
_UNSEEN = {"style", "script", "title"}


class Page(HTMLParser):
    """A parsed page; `unbalanced` lists tags that were closed out of turn or never."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.unbalanced: list[str] = []
        self._open: list[str] = []
        self._words: list[str] = []
        self.feed(html)
        self.close()
        self.unbalanced += self._open

    @property
    def text(self) -> str:
        """All that is read, with every run of white space as one plain space."""
        return " ".join(" ".join(self._words).split())

    def values(self, attribute: str) -> list[str]:
        return [values[attribute] for _, values in self.elements if attribute in values]

    def tags(self, tag: str) -> list[dict[str, str]]:
        return [values for name, values in self.elements if name == tag]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if not _UNSEEN.intersection(self._open):
            self._words.append(data)

"""Searching a catalog: its labels table, the embeddings of its bundle's backbone, their indexes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lib.catalog.catalog import CatalogConfig, read_catalog
from lib.errors import InputError
from lib.labels.delta_table import LabelsTable
from lib.models.bundle import Bundle
from lib.runs.progress import plural, stage
from lib.search.catalog import Asked, CatalogSearch, Hit
from lib.search.items import open_items
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.storage.uris import protocol_of
from pipelines.current_bundle import CURRENT, find_bundle
from pipelines.steps import Say

if TYPE_CHECKING:
    from lib.search.query import ImageEmbedder

WIDTH = 80  # of a terminal


@dataclass(frozen=True, kw_only=True)
class Searched:
    """A catalog that is open for questions, of items, of images and of titles."""

    catalog: CatalogSearch
    bundle: Bundle
    storage: Storage
    version: str  # of the table and of the embeddings, as they were when it was opened

    def like(self, query: str, asked: Asked | None = None) -> list[Hit]:
        """Return what looks like an item, by its id, or like an image, by its path or URI.

        Raises:
            InputError: it is neither; or as `CatalogSearch.like_vector`.
        """
        asked = asked or Asked()
        if self.catalog.items.row_of(query) is not None:
            return self.catalog.like_item(query, asked)
        if protocol_of(query) == "file" and not Path(query).exists():
            raise InputError(
                f"{query}: neither an image, nor the id of an item that has an embedding; "
                "a title is looked for with --title"
            )
        return self.catalog.like_vector(self._embedder.embed(query), asked)

    def like_picture(self, jpeg: bytes, asked: Asked) -> list[Hit]:
        """Return what looks like a picture, whose bytes are decoded here: one that we made.

        Raises:
            InputError: as `CatalogSearch.like_vector`.
        """
        vector = self._embedder.embed_file(jpeg, "this picture")
        return self.catalog.like_vector(vector, asked)

    def warm(self) -> None:
        """Load what embeds images, for which the first one would wait; raises as `like`."""
        self._embedder.warm()

    @cached_property
    def _embedder(self) -> "ImageEmbedder":
        from lib.search.query import ImageEmbedder  # noqa: PLC0415  # torch takes seconds to import

        return ImageEmbedder(self.bundle, self.storage)

    def titled(self, title: str, asked: Asked | None = None) -> list[Hit]:
        """Return what is called so; raises as `CatalogSearch.titled`."""
        return self.catalog.titled(title, asked or Asked())


def open_search(
    labels_table: str = "labels",
    embeddings: str = "embeddings",
    bundle: str = CURRENT,
    names: str | None = None,
    storage: Storage | None = None,
) -> Searched:
    """Open a catalog for searches, as it is now.

    Args:
        labels_table: whose items can be found.
        embeddings: the folder that keeps them.
        bundle: whose backbone made them; `current` is that of the table's newest labels.
        names: a manifest with the names of items, or None.
        storage: how to reach all places; None for the environment's.

    Raises:
        InputError: there is no such table, bundle or manifest, or no embedding of its items.
        StoreError: a store does not answer.
    """
    storage = storage or Storage(StorageConfig())
    table = LabelsTable(labels_table, storage)
    version = table.version()
    if version is None:
        raise InputError(f"{labels_table}: there is no labels table here")
    found = find_bundle(bundle, table, storage)
    items, nearest = open_items(table, embeddings, found, storage)
    if names is not None:
        items = items.with_names(_read_names(names, storage))
    catalog = CatalogSearch(items, nearest, found.taxonomy)
    seen = f"{version} {nearest.version}"
    return Searched(catalog=catalog, bundle=found, storage=storage, version=seen)


def search(
    query: str | None, title: str | None, asked: Asked, searched: Searched, say: Say
) -> list[Hit]:
    """Look for an image, an item or a title, and show what is found as a table."""
    if files := searched.catalog.without_index:
        say(
            f"{plural(files, 'file')} of embeddings without an index, read row by row: "
            "`reshelve index` makes searches faster"
        )
    with stage(say, "searching", short=True):
        if title is not None:
            hits = searched.titled(title, asked)
        else:
            assert query is not None
            hits = searched.like(query, asked)
    for line in table_of(hits):
        say(line)
    if not hits:
        say("nothing was found")
    return hits


def table_of(hits: list[Hit]) -> list[str]:
    """Lay hits out for a terminal of `WIDTH` columns; what is too long loses its middle."""
    if not hits:
        return []
    head = f"{'score':>6}  {'item':<16}  {'name':<22} {'label':<20} {'decision':<8}"
    return [head.rstrip(), *(_line(hit) for hit in hits)]


def _line(hit: Hit) -> str:
    *_, last = (hit.category_path or "").split(" > ")
    item, name = _short(hit.item_id, 16), _short(hit.name or "", 22)
    label = _short(last, 20)
    return f"{hit.score:6.3f}  {item:<16}  {name:<22} {label:<20} {hit.decision:<8}".rstrip()


def _short(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    half = (most - 3) // 2
    return f"{text[: most - 3 - half]}...{text[-half:]}"


def _read_names(manifest: str, storage: Storage) -> Mapping[str, str]:
    rows = read_catalog(CatalogConfig(uri=manifest), storage)
    pairs = zip(rows["item_id"].to_pylist(), rows["name"].to_pylist(), strict=True)
    found = {item_id: name for item_id, name in pairs if name}
    if not found:
        raise InputError(f"{manifest}: this manifest has no names; expected a column 'name'")
    return found

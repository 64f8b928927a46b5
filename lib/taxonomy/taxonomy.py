"""The taxonomy: a versioned tree of categories with stable ids."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import yaml

from lib.config.yaml_lines import YamlFile, parse_yaml, text_of
from lib.errors import InputError
from lib.hashing import digest_json
from lib.storage.storage import Storage
from lib.taxonomy.ids import nfc
from lib.taxonomy.replaces import Replaces, read_replaces


@dataclass(frozen=True)
class Category:
    """One category; `parent` is the id of the category above it, None at the top."""

    category_id: str
    name: str
    parent: str | None


@dataclass(frozen=True)
class Taxonomy:
    """A tree of categories, parents before their children, in the file's order.

    Ids and names are in Unicode's composed form, as labels are where a catalog is read.
    """

    version: str
    categories: tuple[Category, ...]
    replaces: Replaces | None = field(default=None, hash=False)

    @cached_property
    def by_id(self) -> Mapping[str, Category]:
        """Categories by id."""
        return {category.category_id: category for category in self.categories}

    @cached_property
    def leaves(self) -> tuple[str, ...]:
        """Ids of the categories that have no children, in the file's order."""
        parents = {category.parent for category in self.categories}
        return tuple(c.category_id for c in self.categories if c.category_id not in parents)

    @cached_property
    def leaves_below(self) -> dict[str, frozenset[str]]:
        """The leaves below each category; of a leaf, itself."""
        below: dict[str, set[str]] = {}
        for leaf in self.leaves:
            for category in (leaf, *self.ancestors(leaf)):
                below.setdefault(category, set()).add(leaf)
        return {category: frozenset(below[category]) for category in self.by_id}

    def ancestors(self, category_id: str) -> tuple[str, ...]:
        """Ids above a category, nearest first."""
        above: list[str] = []
        parent = self.by_id[category_id].parent
        while parent is not None:
            above.append(parent)
            parent = self.by_id[parent].parent
        return tuple(above)

    def path(self, category_id: str) -> str:
        """Return the names from the top to a category, joined by ' > '."""
        ids = (*reversed(self.ancestors(category_id)), category_id)
        return " > ".join(self.by_id[each].name for each in ids)

    @cached_property
    def digest(self) -> str:
        """sha256 hex of version, ids, names and parents: equal files in other words are equal.

        What the taxonomy replaces is not a part of it.
        """
        rows = [[c.category_id, c.name, c.parent] for c in self.categories]
        return digest_json({"version": self.version, "categories": rows})

    def to_yaml(self) -> str:
        """Write the file that `parse_taxonomy` reads."""
        children: dict[str | None, list[Category]] = {}
        for category in self.categories:
            children.setdefault(category.parent, []).append(category)

        def nodes(parent: str | None) -> list[dict[str, object]]:
            found = []
            for category in children.get(parent, []):
                node: dict[str, object] = {"id": category.category_id, "name": category.name}
                if below := nodes(category.category_id):
                    node["children"] = below
                found.append(node)
            return found

        document: dict[str, object] = {"version": self.version}
        if self.replaces:
            document["replaces"] = self.replaces.model_dump(mode="json", exclude_defaults=True)
        document["categories"] = nodes(None)
        return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)

    def check_labels(self, category_ids: Iterable[str], source: str) -> None:
        """Refuse labels that are not leaves of this taxonomy.

        Raises:
            InputError: names the labels, and the catalog `source` that they stand in.
        """
        labels = set(category_ids)
        if unknown := sorted(labels - set(self.by_id)):
            raise InputError(
                f"{source}: labels {some_of(unknown)} are not in taxonomy version {self.version}; "
                f"its leaves are {some_of(self.leaves)}"
            )
        if inner := sorted(labels - set(self.leaves)):
            raise InputError(
                f"{source}: labels {some_of(inner)} have children in taxonomy version "
                f"{self.version}; label items with leaves"
            )


def parse_taxonomy(text: str, source: str) -> Taxonomy:
    """Read a taxonomy file: `version`, and `categories` of `id`, `name` and `children`.

    It may say what it `replaces`, see `lib.taxonomy.replaces`.

    Raises:
        InputError: it cannot be used; the message names the file, the line and what is wrong.
    """
    file = parse_yaml(text, source)
    keys = set(file.data) if isinstance(file.data, dict) else set()
    if keys - {"replaces"} != {"version", "categories"}:
        raise InputError(
            f"{source}: a taxonomy has two keys, 'version' and 'categories', and may have a third, "
            f"'replaces'; this file has {', '.join(sorted(map(str, keys))) or 'none'}"
        )
    version = file.data["version"]
    # a bare 1.10 is the number 1.1, and a bare yes is true
    if isinstance(version, bool) or not isinstance(version, str | int) or not str(version).strip():
        place = file.place(("version",))
        raise InputError(f"{place}: 'version' should be a text in quotes, as in version: \"1.10\"")
    if len(str(version).splitlines()) > 1:
        raise InputError(f"{file.place(('version',))}: 'version' should be on one line")
    found: dict[str, Category] = {}
    _read_level(file, ("categories",), file.data["categories"], None, found)
    taxonomy = Taxonomy(str(version), tuple(found.values()), read_replaces(file))
    if len(taxonomy.leaves) < 2:
        raise InputError(f"{source}: a taxonomy needs at least two categories without children")
    return taxonomy


def _read_level(
    file: YamlFile,
    path: tuple[str | int, ...],
    nodes: object,
    parent: str | None,
    found: dict[str, Category],
) -> None:
    if not isinstance(nodes, list) or not nodes:
        raise InputError(f"{file.place(path)}: '{path[-1]}' should be a list of categories")
    for index, node in enumerate(nodes):
        here = (*path, index)
        place = file.place(here)
        if not isinstance(node, dict) or "id" not in node:
            raise InputError(f"{place}: a category needs an 'id'")
        if unknown := sorted(set(node) - {"id", "name", "children"}, key=str):
            raise InputError(f"{place}: unknown key '{unknown[0]}'; known: id, name, children")
        category_id = node["id"]
        if not isinstance(category_id, str) or not category_id.strip():
            raise InputError(f'{place}: an id should be a text, as in id: "{category_id}"')
        if len(category_id.splitlines()) > 1:
            raise InputError(f"{place}: the id of a category should be on one line")
        category_id = nfc(category_id)
        if category_id in found:
            raise InputError(f"{place}: id '{category_id}' stands in the taxonomy a second time")
        name = node.get("name", category_id)
        if not isinstance(name, str) or not name.strip():
            raise InputError(f"{place}: the name of '{category_id}' should be a text")
        found[category_id] = Category(category_id, nfc(name), parent)
        if "children" in node:
            _read_level(file, (*here, "children"), node["children"], category_id, found)


def some_of(ids: Iterable[str]) -> str:
    """Return the first five ids in quotes, and how many more there are."""
    every = list(ids)
    more = f" and {len(every) - 5} more" if len(every) > 5 else ""
    return ", ".join(f"'{each}'" for each in every[:5]) + more


def read_taxonomy(source: str, storage: Storage) -> Taxonomy:
    """Read a taxonomy file.

    Raises:
        InputError: it is not there or cannot be used.
    """
    return parse_taxonomy(text_of(storage.read(source), source), source)

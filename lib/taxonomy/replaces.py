"""What a taxonomy says it replaces: the version before it, and what became of its categories."""

from collections import Counter

from pydantic import Field, ValidationError

from lib.config.config import Config
from lib.config.value_words import complaint
from lib.config.yaml_lines import YamlFile
from lib.errors import InputError
from lib.taxonomy.ids import CategoryId


class Replaces(Config):
    """The key `replaces` of a taxonomy file; all ids. What is named nowhere keeps its id.

    Attributes:
        version: of the taxonomy that is replaced.
        renamed: new id by old id; a new name for the same id needs no word.
        moved: ids that have another parent.
        merged: the old ids that become one, by the new id.
        split: the new ids that an old one becomes, by the old id.
        added: new ids that no old one becomes.
        removed: old ids that no new one stands for; their items may be anything.
    """

    version: str = Field(coerce_numbers_to_str=True)
    renamed: dict[CategoryId, CategoryId] = Field(default={})
    moved: tuple[CategoryId, ...] = ()
    merged: dict[CategoryId, tuple[CategoryId, ...]] = Field(default={})
    split: dict[CategoryId, tuple[CategoryId, ...]] = Field(default={})
    added: tuple[CategoryId, ...] = ()
    removed: tuple[CategoryId, ...] = ()

    @property
    def destinies(self) -> list[tuple[str, tuple[str, ...]]]:
        """Each old id that is named, with the new ids it becomes; one that stands twice, twice."""
        return [
            *((old, (new,)) for old, new in self.renamed.items()),
            *((old, (new,)) for new, olds in self.merged.items() for old in olds),
            *self.split.items(),
            *((old, ()) for old in self.removed),
        ]

    def becomes(self, old: str) -> tuple[str, ...]:
        """Return what an old category without others below it becomes."""
        return dict(self.destinies).get(old, (old,))


def read_replaces(file: YamlFile) -> Replaces | None:
    """Read the key of a taxonomy file, or None where it has none.

    Raises:
        InputError: it cannot be used; names the line, the key and what is wrong.
    """
    if "replaces" not in file.data:
        return None
    try:
        replaces = Replaces.model_validate(file.data["replaces"])
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in ("replaces", *first["loc"]))
        known = ", ".join(Replaces.model_fields)
        said = (
            f"is not known; known here: {known}" if "extra" in first["type"] else complaint(first)
        )
        raise InputError(f"{file.place(('replaces', *first['loc']))}: '{key}' {said}") from None
    place = file.place(("replaces",))
    counts = Counter(old for old, _ in replaces.destinies)
    if twice := [old for old, count in counts.items() if count > 1]:
        raise InputError(f"{place}: 'replaces' says twice what becomes of '{twice[0]}'")
    for old, news in replaces.split.items():
        if len(set(news)) < 2:
            raise InputError(f"{place}: '{old}' is split into one; 'renamed' does that")
    return replaces

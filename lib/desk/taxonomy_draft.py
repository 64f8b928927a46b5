"""The draft of a taxonomy: edits kept in a file beside it, until the table has moved to it."""

import csv
import io
import re
import threading
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath

from lib.config.config import Config, load_json
from lib.errors import InputError
from lib.storage.storage import Storage
from lib.storage.uris import absolute
from lib.taxonomy.edited import Edited, examples_of, finished, next_version
from lib.taxonomy.editing import edited
from lib.taxonomy.edits import Edit
from lib.taxonomy.taxonomy import Taxonomy, parse_taxonomy


class Noted(Config):
    """An edit, who made it, and when."""

    edit: Edit
    by: str
    at: datetime


class Saved(Config):
    """What was written of a draft.

    Attributes:
        revision: of the draft then.
        version: of the new taxonomy.
        digest: of the new taxonomy.
        taxonomy: where it lies.
        examples: where those of its new categories lie, or None.
    """

    revision: int
    version: str
    digest: str
    taxonomy: str
    examples: str | None


class Draft(Config):
    """`TAXONOMY-draft.json`.

    Attributes:
        base_version: of the taxonomy that is edited.
        base_digest: of it.
        revision: counts the changes of the draft.
        noted: the edits.
        saved: what was written of it, or None.
    """

    base_version: str
    base_digest: str
    revision: int = 0
    noted: tuple[Noted, ...] = ()
    saved: Saved | None = None

    @property
    def edits(self) -> list[Edit]:
        """The edits, the first one first."""
        return [each.edit for each in self.noted]

    @property
    def is_saved(self) -> bool:
        """Whether it was written as it is now."""
        return self.saved is not None and self.saved.revision == self.revision


class DraftFile:
    """The draft of one taxonomy file."""

    def __init__(self, taxonomy: str, storage: Storage) -> None:
        """Keep the places.

        Args:
            taxonomy: the file that is edited.
            storage: how to reach it.
        """
        self.taxonomy, self._storage = absolute(taxonomy), storage
        self._lock = threading.Lock()

    def read(self, base: Taxonomy) -> Draft:
        """Return the draft of a taxonomy; one of another that has edits still is in the way.

        Raises:
            InputError: the file cannot be read.
        """
        kept = self._kept()
        fresh = Draft(base_version=base.version, base_digest=base.digest)
        if kept is None or (kept.base_digest != base.digest and self._is_over(kept, base)):
            return fresh
        return kept

    def change(
        self, base: Taxonomy, revision: int, make: Callable[[Edited, list[Noted]], list[Noted]]
    ) -> Draft:
        """Change the edits of the draft.

        Args:
            base: the taxonomy that is edited.
            revision: of the draft that the person has seen.
            make: returns the edits that it has then.

        Raises:
            InputError: somebody else has changed it since, or an edit cannot be made.
        """
        with self._lock:
            draft = self._mine(base, revision)
            before = edited(base, draft.edits)
            noted = make(before, list(draft.noted))
            edited(base, [each.edit for each in noted])
            changed = draft.model_copy(
                update={"noted": tuple(noted), "revision": draft.revision + 1}
            )
            self._write(changed)
            return changed

    def add(self, base: Taxonomy, revision: int, make: Callable[[Edited], Edit], by: str) -> Draft:
        """Add an edit, which `make` makes of the tree as it is; raises as `change`."""

        def added(before: Edited, noted: list[Noted]) -> list[Noted]:
            return [*noted, Noted(edit=make(before), by=by, at=datetime.now(UTC))]

        return self.change(base, revision, added)

    def take_back(self, base: Taxonomy, revision: int, place: int) -> Draft:
        """Take an edit back; raises as `change` where a later one needs it."""
        return self.change(
            base, revision, lambda _, noted: [e for n, e in enumerate(noted) if n != place]
        )

    def throw_away(self) -> None:
        """Forget all edits."""
        with self._lock:
            self._storage.delete(self._name("-draft.json"))

    def save(self, base: Taxonomy, revision: int, taken: Collection[str]) -> Saved:
        """Write the new taxonomy and its examples; the old one stays under its version's name.

        Args:
            base: the taxonomy that is edited.
            revision: of the draft that the person has seen.
            taken: versions that there have been.

        Raises:
            InputError: the draft cannot be used yet, or a file would be lost.
        """
        with self._lock:
            draft = self._mine(base, revision)
            found = edited(base, draft.edits)
            version = draft.saved.version if draft.saved else next_version(base.version, taken)
            new = finished(found, version)
            self._keep_old(draft)
            examples = self._write_examples(found, version)
            self._storage.write(self.taxonomy, new.to_yaml().encode())
            saved = Saved(
                revision=draft.revision,
                version=version,
                digest=new.digest,
                taxonomy=self.taxonomy,
                examples=examples,
            )
            self._write(draft.model_copy(update={"saved": saved}))
            return saved

    def _mine(self, base: Taxonomy, revision: int) -> Draft:
        draft = self.read(base)
        if draft.base_digest != base.digest:
            raise InputError(
                f"the draft is of version {draft.base_version} of the taxonomy, and the catalog "
                f"has version {base.version} by now; throw the draft away to begin another"
            )
        if draft.revision != revision:
            raise InputError(
                "somebody else has changed the draft since you opened this page; look at it again"
            )
        return draft

    def _is_over(self, kept: Draft, base: Taxonomy) -> bool:
        """Say whether the table has moved to what was drafted, or nothing was."""
        return not kept.noted or (kept.saved is not None and kept.saved.digest == base.digest)

    def _keep_old(self, draft: Draft) -> None:
        """Keep the file that is written over, but where it is an earlier try of this draft."""
        if not self._storage.exists(self.taxonomy):
            return
        data = self._storage.read(self.taxonomy)
        there = parse_taxonomy(data.decode(errors="replace"), self.taxonomy)
        if draft.saved is not None and there.digest == draft.saved.digest:
            return
        name = self._name(f"-{_plain(there.version)}{self._suffix}")
        if not self._storage.create(name, data) and self._storage.read(name) != data:
            raise InputError(
                f"{self.taxonomy} and {name} are two taxonomies of version {there.version}, of "
                "which one would be lost; move one of them elsewhere"
            )

    def _write_examples(self, found: Edited, version: str) -> str | None:
        rows = examples_of(found)
        if not rows:
            return None
        name = self._name(f"-{_plain(version)}-examples.csv")
        self._storage.write(name, as_csv(rows).encode())
        return name

    def _kept(self) -> Draft | None:
        name = self._name("-draft.json")
        if not self._storage.exists(name):
            return None
        return load_json(Draft, self._storage.read(name), name, "this draft of a taxonomy")

    def _write(self, draft: Draft) -> None:
        data = draft.model_dump_json(indent=2).encode()
        self._storage.write(self._name("-draft.json"), data)

    @property
    def _suffix(self) -> str:
        return PurePosixPath(self.taxonomy).suffix

    def _name(self, ending: str) -> str:
        return self.taxonomy.removesuffix(self._suffix) + ending


def as_csv(rows: Sequence[tuple[str, str]]) -> str:
    """Write examples as `backfill` reads them: item_id and category_id."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(["item_id", "category_id"])
    writer.writerows(rows)
    return text.getvalue()


def _plain(version: str) -> str:
    return re.sub(r"[^\w.-]", "_", version)

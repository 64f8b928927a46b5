"""What a match is given: two catalogs, the embeddings that both have, and labelled pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet
from pydantic import Field, field_validator

from lib.catalog.catalog import CatalogConfig
from lib.config.config import Config
from lib.embeddings.store import EmbeddingStore
from lib.errors import InputError
from lib.images.config import ReadingConfig
from lib.labels.promises import Accept
from lib.matching.labelled_pairs import LabelledPairs
from lib.models.bundle import read_bundle
from lib.runs.run import RunFile
from lib.storage.storage import Storage
from lib.storage.uris import absolute
from pipelines.steps import apart_from_catalogs, within_catalogs


class MatchGates(Config):
    """Limits that a match must keep; None turns one off."""

    max_error_rate: float | None = Field(default=0.05, ge=0, le=1)
    max_cluster_items: int | None = Field(default=200, ge=2)


class MatchRun(RunFile):
    """The run file of `reshelve match`."""

    left: CatalogConfig
    right: CatalogConfig | None = None
    bundle: str | None = None
    embeddings: str | None = "embeddings"
    right_embeddings: str | None = None
    pairs: str | None = None
    candidates: int = Field(default=10, ge=1, le=1_000)
    near_copies: bool = False
    accept: Accept = Accept()
    unit_size: int = Field(default=10_000, ge=1)
    gates: MatchGates = MatchGates()
    reading: ReadingConfig = Field(default=ReadingConfig(), validate_default=True)

    _within = field_validator("reading")(within_catalogs)
    _apart = field_validator("left", "right", "embeddings", "right_embeddings")(apart_from_catalogs)


@dataclass(frozen=True)
class Stores:
    """The embeddings of either side, of one backbone; None where none are compared."""

    left: EmbeddingStore | None
    right: EmbeddingStore | None
    digest: str = ""
    why_not: str = ""


def find_stores(config: MatchRun, storage: Storage) -> Stores:
    """Find the embeddings that both sides have of one backbone.

    Raises:
        InputError: they have them of different backbones, or of several and no bundle says which.
    """
    if config.embeddings is None:
        return Stores(None, None, why_not="no embeddings are named")
    left = config.embeddings
    right = config.right_embeddings or left
    kept = {place: _backbones(place, storage) for place in (left, right)}
    if config.bundle is not None:
        digest = read_bundle(config.bundle, storage).backbone_digest
        for place, digests in kept.items():
            if digests and digest not in digests:
                raise InputError(
                    f"{place}: these embeddings are another backbone's ({_short(digests)}) than "
                    f"the bundle's ({digest[:12]}); make its own with 'reshelve embed'"
                )
        common = {digest} if all(kept.values()) else set()
    else:
        common = kept[left] & kept[right]
        if all(kept.values()) and not common:
            raise InputError(
                f"{left} and {right} hold embeddings of different backbones "
                f"({_short(kept[left])} and {_short(kept[right])}), which cannot be compared; make "
                "those of one side with the other's bundle, by 'reshelve embed'"
            )
    if len(common) > 1:
        raise InputError(
            f"{left}: there are embeddings of {len(common)} backbones ({_short(common)}); name "
            "with 'bundle' whose are compared"
        )
    if not common:
        empty = next(place for place, digests in kept.items() if not digests)
        return Stores(None, None, why_not=f"there are no embeddings in {empty}")
    (digest,) = common
    mine, others = (EmbeddingStore(place, digest, storage) for place in (left, right))
    return Stores(mine, others, digest)


def _backbones(place: str, storage: Storage) -> set[str]:
    names = storage.names(absolute(place))
    return {name for name in names if len(name) == 64 and not set(name) - set("0123456789abcdef")}


def _short(digests: set[str]) -> str:
    return ", ".join(sorted(digest[:12] for digest in digests))


def count_names(snapshot: Path) -> int:
    """How many items of a snapshot have a title."""
    names = parquet.read_table(snapshot, columns=["name"])["name"]
    return int(pc.sum(pc.greater(pc.utf8_length(names), 0)).as_py() or 0)


def check_pairs(pairs: LabelledPairs, left: Path, right: Path, uri: str) -> None:
    """Refuse labelled pairs of items that are not in the catalogs.

    Raises:
        InputError: names the first of them.
    """
    for side, ids, snapshot in (("left", pairs.left_ids, left), ("right", pairs.right_ids, right)):
        known = parquet.read_table(snapshot, columns=["item_id"])["item_id"]
        there = pc.is_in(pa.array(ids), value_set=known.combine_chunks())
        if (place := pc.index(there, value=False).as_py()) >= 0:
            raise InputError(
                f"{uri}: the {side} catalog has no item '{ids[place]}'; labelled pairs name items "
                "of the catalogs that are matched"
            )


def places_of(ids: Sequence[str], items: pa.Table) -> pa.Array:
    """Return the row of each id among items that have them all."""
    return pc.index_in(pa.array(ids, pa.string()), value_set=items["item_id"].combine_chunks())

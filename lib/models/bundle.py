"""Bundles: all that inference needs, in one folder that says what it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, JsonValue

from lib.config.config import Config, load_json
from lib.config.yaml_lines import text_of
from lib.errors import InputError
from lib.hashing import digest_bytes
from lib.images.preprocessing import Preprocessing
from lib.labels.decisions import NEVER, Decider
from lib.labels.history import Made
from lib.labels.promises import Accept, Claim
from lib.models.device_decode import DeviceDecode
from lib.models.int8 import Int8
from lib.models.names import Kept, NamesInfo
from lib.storage.storage import Storage
from lib.storage.uris import absolute, join
from lib.taxonomy.ids import CategoryId
from lib.taxonomy.taxonomy import Taxonomy, parse_taxonomy

FORMAT = 1
MODEL = "model.safetensors"
# of model.safetensors, beside the model: what tells the parts of the head's split rows apart
APART_WEIGHT, APART_BIAS = "apart.weight", "apart.bias"


# the leaf that a row of a head stands for, or those it is split into
Row = CategoryId | tuple[CategoryId, ...]


def leaves_of(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the leaves that the rows of a head stand for, each once, in order."""
    parts = [row if isinstance(row, tuple) else (row,) for row in rows]
    return tuple(dict.fromkeys(leaf for part in parts for leaf in part))


class BundleInfo(Config):
    """`bundle.json`: what the other two files are, and how to use them."""

    format: int = FORMAT
    run_id: str
    architecture: str
    weights: str
    preprocessing: Preprocessing
    # the leaf of each of the head's rows, or those that it is split into; rows of one leaf add up
    category_ids: tuple[Row, ...]
    head_power: float = Field(
        default=1.0, ge=0, le=1
    )  # to which embeddings are raised before the head takes them
    temperature: float = Field(gt=0)
    threshold: float = Field(ge=0, le=NEVER)  # of categories that `thresholds` does not name
    thresholds: dict[CategoryId, Annotated[float, Field(ge=0, le=NEVER)]] = Field(
        default_factory=dict
    )
    target_precision: float = Field(gt=0, le=1)
    accept: Accept | None = None  # None: an older bundle, whose threshold was not tested
    claims: tuple[Claim, ...] = ()  # what held-out items say of the thresholds
    metrics: dict[str, float]
    recipe: dict[str, JsonValue] = Field(default_factory=dict)  # how it was trained, dial by dial
    # whose code builds the network, and in which version, as {"timm": "1.0.31"}
    libraries: dict[str, str] = Field(default_factory=dict)
    int8: Int8 | None = None  # where labels in int8 are as good: how they are made
    device_decode: DeviceDecode | None = None  # where labels are as good if a GPU decodes: on which
    names: NamesInfo | None = None  # where titles are used: how
    digests: dict[str, str] = Field(default_factory=dict)

    def to_json(self) -> bytes:
        """Return what stands in the file; what a bundle does without is not named."""
        without: dict[str, Any] = {}
        if self.names is None:
            without["names"] = True
        elif self.names.encoder is None:
            without["names"] = {"encoder"}
        if self.device_decode is None:
            without["device_decode"] = True
        return self.model_dump_json(indent=2, exclude=without).encode()

    @property
    def claims_in_use(self) -> tuple[Claim, ...]:
        """What held-out items say of the score that most are decided by: fused, where it can be."""
        return self.names.both.claims if self.names else self.claims

    @property
    def promise(self) -> Accept:
        """What is promised of accepted labels."""
        return self.accept or Accept(precision=self.target_precision)

    @property
    def leaves(self) -> tuple[str, ...]:
        """The leaves, in the order of the columns of probabilities."""
        return leaves_of(self.category_ids)


@dataclass(frozen=True)
class Bundle:
    """A bundle's description and taxonomy; the weights are loaded where they are used."""

    uri: str
    info: BundleInfo
    taxonomy: Taxonomy
    digest: str

    @property
    def decider(self) -> Decider:
        """What turns the model's probabilities into decisions."""
        kept = Kept(threshold=self.info.threshold, thresholds=self.info.thresholds)
        return self.decider_by(kept)

    def decider_by(self, kept: Kept) -> Decider:
        """Return what decides by other thresholds than the image's."""
        return Decider(
            taxonomy=self.taxonomy,
            category_ids=self.info.leaves,
            threshold=kept.threshold,
            thresholds=kept.thresholds,
        )

    @property
    def backbone_digest(self) -> str:
        """What bundles of one backbone share, and what its embeddings are kept under."""
        return self.info.digests["backbone"]

    @property
    def made(self) -> Made:
        """What the history of a labels table says of it."""
        return Made(
            bundle=self.uri,
            bundle_digest=self.digest,
            taxonomy_version=self.taxonomy.version,
            taxonomy_digest=self.taxonomy.digest,
        )

    @property
    def fingerprint(self) -> dict[str, str]:
        """The parts of a run's fingerprint that a bundle gives."""
        return {
            "bundle": self.digest,
            "taxonomy": self.taxonomy.digest,
            "preprocessing": self.info.preprocessing.digest,
        }


def read_bundle(uri: str, storage: Storage) -> Bundle:
    """Read a bundle's description and taxonomy.

    Raises:
        InputError: it is not there, or its parts do not belong together; says which.
    """
    uri = absolute(uri)  # it travels to workers that run in another folder
    description = join(uri, "bundle.json")
    if not storage.exists(description):
        raise InputError(
            f"{uri}: no bundle here (bundle.json is missing); give the folder of one that a "
            "training or a backfill made"
        )
    data = storage.read(description)
    info = load_json(BundleInfo, data, description, "the bundle's description")
    if info.format != FORMAT:
        raise InputError(
            f"{description}: the bundle is of format {info.format}, and this version of Reshelve "
            f"knows {FORMAT} alone; train it again, or take the version that made it"
        )
    if lacking := [name for name in ("model", "taxonomy", "backbone") if name not in info.digests]:
        raise InputError(
            f"{description}: the bundle's description is damaged, or of another version: "
            f"'digests.{lacking[0]}' is missing; copy the whole folder again, or train again"
        )
    taxonomy_yaml = read_part(uri, "taxonomy.yaml", info.digests.get("taxonomy"), storage)
    place = join(uri, "taxonomy.yaml")
    taxonomy = parse_taxonomy(text_of(taxonomy_yaml, place), place)
    if info.names and set(info.names.category_ids) - set(taxonomy.leaves):
        raise InputError(
            f"{uri}: the names' categories are not the taxonomy's leaves; copy the bundle again"
        )
    if set(info.leaves) != set(taxonomy.leaves):
        raise InputError(
            f"{uri}: the head's categories are not the taxonomy's leaves; copy the bundle again"
        )
    return Bundle(uri, info, taxonomy, digest_bytes(data))


def read_part(uri: str, name: str, digest: str | None, storage: Storage) -> bytes:
    """Read one of a bundle's files.

    Raises:
        InputError: it is not there, or is not the one that bundle.json describes.
    """
    if not storage.exists(join(uri, name)):
        raise InputError(f"{uri}: the bundle lacks {name}; copy the whole folder again")
    data = storage.read(join(uri, name))
    if digest_bytes(data) != digest:
        raise InputError(
            f"{uri}: {name} is not the file that bundle.json describes: it is damaged, or another "
            "bundle's; copy the whole folder again"
        )
    return data


def damaged(bundle: Bundle, why: str, part: str = MODEL) -> InputError:
    """Return the error of a part that has its digest, but cannot be used."""
    return InputError(
        f"{bundle.uri}: {part} is damaged, or was made by another program: {why}; copy the whole "
        "folder again, or train again"
    )

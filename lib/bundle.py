"""Bundles: all that inference needs, in one folder that says what it is."""

from dataclasses import dataclass

import safetensors.torch
from pydantic import Field, ValidationError

from lib.calibration import NEVER
from lib.config import Config
from lib.digest import digest_bytes
from lib.errors import InputError
from lib.model import Classifier, build_classifier
from lib.preprocessing import Preprocessing
from lib.storage import Storage, absolute, join
from lib.taxonomy import Taxonomy, parse_taxonomy
from lib.weights import parameters_of

FORMAT = 1


class BundleInfo(Config):
    """`bundle.json`: what the other two files are, and how to use them."""

    format: int = FORMAT
    run_id: str
    architecture: str
    weights: str
    preprocessing: Preprocessing
    category_ids: tuple[str, ...]
    temperature: float = Field(gt=0)
    threshold: float = Field(ge=0, le=NEVER)
    target_precision: float
    metrics: dict[str, float]
    digests: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class Bundle:
    """A bundle's description and taxonomy; the weights are loaded where they are used."""

    uri: str
    info: BundleInfo
    taxonomy: Taxonomy
    digest: str

    @property
    def fingerprint(self) -> dict[str, str]:
        """The parts of a run's fingerprint that a bundle gives."""
        return {
            "bundle": self.digest,
            "taxonomy": self.taxonomy.digest,
            "preprocessing": self.info.preprocessing.digest,
        }


def write_bundle(
    uri: str, storage: Storage, classifier: Classifier, taxonomy: Taxonomy, info: BundleInfo
) -> Bundle:
    """Write a bundle; `bundle.json` comes last, so that half a bundle is none.

    Args:
        uri: the folder.
        storage: how to reach it.
        classifier: the trained model.
        taxonomy: whose leaves the head's columns are.
        info: its description; the digests are filled in here.
    """
    model = safetensors.torch.save(parameters_of(classifier))
    taxonomy_yaml = taxonomy.to_yaml().encode()
    digests = {
        "model": digest_bytes(model),
        "taxonomy": digest_bytes(taxonomy_yaml),
        "backbone": digest_bytes(safetensors.torch.save(parameters_of(classifier.backbone))),
    }
    described = info.model_copy(update={"digests": digests})
    data = described.model_dump_json(indent=2).encode()
    storage.write(join(uri, "model.safetensors"), model)
    storage.write(join(uri, "taxonomy.yaml"), taxonomy_yaml)
    storage.write(join(uri, "bundle.json"), data)
    return Bundle(uri, described, taxonomy, digest_bytes(data))


def read_bundle(uri: str, storage: Storage) -> Bundle:
    """Read a bundle's description and taxonomy.

    Raises:
        InputError: it is not there, or its parts do not belong together; says which.
    """
    uri = absolute(uri)  # it travels to workers that run in another folder
    description = join(uri, "bundle.json")
    if not storage.exists(description):
        raise InputError(f"{uri}: no bundle here (bundle.json is missing); train one first")
    data = storage.read(description)
    try:
        info = BundleInfo.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(f"{description}: {key}: {first['msg']}") from None
    if info.format != FORMAT:
        raise InputError(f"{description}: format {info.format} is not known here, only {FORMAT}")
    taxonomy_yaml = _checked(uri, "taxonomy.yaml", info.digests.get("taxonomy"), storage)
    taxonomy = parse_taxonomy(taxonomy_yaml.decode(), join(uri, "taxonomy.yaml"))
    if set(info.category_ids) != set(taxonomy.leaves):
        raise InputError(f"{uri}: the head's categories are not the taxonomy's leaves")
    return Bundle(uri, info, taxonomy, digest_bytes(data))


def load_classifier(bundle: Bundle, storage: Storage) -> Classifier:
    """Load a bundle's model in float32, in evaluation mode.

    Raises:
        InputError: the weights are damaged or are another model's.
    """
    data = _checked(bundle.uri, "model.safetensors", bundle.info.digests.get("model"), storage)
    info = bundle.info
    classifier = build_classifier(
        info.architecture, len(info.category_ids), info.preprocessing.size_px
    )
    try:
        classifier.load_state_dict(safetensors.torch.load(data))
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{bundle.uri}: model.safetensors does not fit: {first}") from None
    return classifier.eval()


def _checked(uri: str, name: str, digest: str | None, storage: Storage) -> bytes:
    data = storage.read(join(uri, name))
    if digest_bytes(data) != digest:
        raise InputError(f"{uri}: {name} is not the file that bundle.json describes (its digest)")
    return data

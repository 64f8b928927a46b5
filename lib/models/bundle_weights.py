"""A bundle's model: written after training, loaded where items are classified."""

from collections.abc import Mapping

import safetensors.torch
from torch import Tensor

from lib.errors import InputError
from lib.hashing import digest_bytes, digest_json
from lib.images.preprocessing import Preprocessing
from lib.models.bundle import APART_BIAS, APART_WEIGHT, Bundle, BundleInfo, damaged
from lib.models.bundle_tensors import pack, read_tensors
from lib.models.classifier import Classifier, build_classifier, libraries_of
from lib.models.pretrained import adapted_by_timm, in_order, parameters_of
from lib.storage.storage import Storage
from lib.storage.uris import join
from lib.taxonomy.taxonomy import Taxonomy

_BACKBONE = "backbone."


def write_compiled(uri: str, storage: Storage, files: Mapping[str, bytes]) -> dict[str, str]:
    """Write a model as another runtime wants it, before the bundle; return the files' digests."""
    for name, content in files.items():
        storage.write(join(uri, name), content)
    return {name: digest_bytes(content) for name, content in files.items()}


def write_bundle(
    uri: str, storage: Storage, classifier: Classifier, taxonomy: Taxonomy, info: BundleInfo
) -> Bundle:
    """Write a bundle; `bundle.json` comes last, so that half a bundle is none.

    Args:
        uri: the folder.
        storage: how to reach it.
        classifier: the trained model.
        taxonomy: whose leaves the head's columns are.
        info: its description; the digests of these files are added here.
    """
    model = pack(parameters_of(classifier))
    taxonomy_yaml = taxonomy.to_yaml().encode()
    digests = {
        **info.digests,
        "model": digest_bytes(model),
        "taxonomy": digest_bytes(taxonomy_yaml),
        "backbone": backbone_digest(classifier, info.preprocessing),
    }
    described = info.model_copy(
        update={"digests": digests, "libraries": libraries_of(info.architecture)}
    )
    data = described.to_json()
    storage.write(join(uri, "model.safetensors"), model)
    storage.write(join(uri, "taxonomy.yaml"), taxonomy_yaml)
    storage.write(join(uri, "bundle.json"), data)
    return Bundle(uri, described, taxonomy, digest_bytes(data))


def backbone_digest(classifier: Classifier, preprocessing: Preprocessing) -> str:
    """Name what embeddings follow from: a backbone's tensors, and what it is shown."""
    tensors = safetensors.torch.save(parameters_of(classifier.backbone))
    return digest_json([digest_bytes(tensors), preprocessing.digest])


def load_classifier(bundle: Bundle, storage: Storage) -> Classifier:
    """Load a bundle's model in float32, in evaluation mode; its head as it was trained.

    Raises:
        InputError: the weights are damaged or are another model's.
    """
    info = bundle.info
    versions = " and ".join(f"{name} {version}" for name, version in info.libraries.items())
    made_with = f" (the bundle was made with {versions})" if versions else ""
    try:
        classifier = build_classifier(
            info.architecture, len(info.category_ids), info.preprocessing.size_px
        )
    except InputError as error:
        raise InputError(f"{bundle.uri}: its network cannot be built: {error}{made_with}") from None
    state = read_tensors(bundle, storage)
    for name in (APART_WEIGHT, APART_BIAS):
        state.pop(name, None)
    if state.keys() != classifier.state_dict().keys():
        state = _renamed(state, classifier)
    expected = classifier.state_dict()
    for name, value in state.items():
        if name in expected and value.dtype != expected[name].dtype:
            raise damaged(bundle, f"'{name}' is {value.dtype}, not {expected[name].dtype}")
    try:
        classifier.load_state_dict(state)
    except RuntimeError as error:
        first = " ".join(str(error).split())  # its first line names the class alone
        raise InputError(
            f"{bundle.uri}: model.safetensors does not fit: {first:.300}{made_with}"
        ) from None
    return classifier.eval()


def _renamed(state: dict[str, Tensor], classifier: Classifier) -> dict[str, Tensor]:
    """Find the tensors that another version of the network's library calls otherwise."""
    backbone, expected = classifier.backbone, classifier.backbone.state_dict()
    own: dict[str, Tensor] = {}
    head: dict[str, Tensor] = {}
    for name, value in state.items():
        (own if name.startswith(_BACKBONE) else head)[name.removeprefix(_BACKBONE)] = value
    for given in (own, adapted_by_timm(own, backbone)):
        found = given if given.keys() == expected.keys() else in_order(given, expected)
        if found is not None and len(found) == len(given):
            return {**{f"{_BACKBONE}{name}": value for name, value in found.items()}, **head}
    return state

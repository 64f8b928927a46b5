"""A bundle's model: written after training, loaded where items are classified."""

import json
from collections.abc import Mapping

import safetensors.torch
from torch import Tensor

from lib.errors import InputError
from lib.hashing import digest_bytes
from lib.models.bundle import APART_BIAS, APART_WEIGHT, Bundle, BundleInfo, read_part
from lib.models.classifier import Classifier, build_classifier, libraries_of
from lib.models.pretrained import in_order, parameters_of
from lib.storage.storage import Storage
from lib.storage.uris import join
from lib.taxonomy.taxonomy import Taxonomy

_ORDER = "order"  # of the tensors in the network: a file has them in one of its own


def pack(tensors: Mapping[str, Tensor]) -> bytes:
    """Return tensors as safetensors, with their order."""
    contiguous = {name: value.contiguous() for name, value in tensors.items()}
    return safetensors.torch.save(contiguous, {_ORDER: json.dumps(list(tensors))})


def unpack(data: bytes) -> dict[str, Tensor]:
    """Return tensors in the order in which they were packed."""
    tensors: dict[str, Tensor] = safetensors.torch.load(data)
    length = int.from_bytes(
        data[:8], "little"
    )  # the library gives no metadata of what is in memory
    order = json.loads(data[8 : 8 + length]).get("__metadata__", {}).get(_ORDER)
    return {name: tensors[name] for name in json.loads(order)} if order else tensors


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
        "backbone": digest_bytes(safetensors.torch.save(parameters_of(classifier.backbone))),
    }
    described = info.model_copy(
        update={"digests": digests, "libraries": libraries_of(info.architecture)}
    )
    data = described.model_dump_json(indent=2).encode()
    storage.write(join(uri, "model.safetensors"), model)
    storage.write(join(uri, "taxonomy.yaml"), taxonomy_yaml)
    storage.write(join(uri, "bundle.json"), data)
    return Bundle(uri, described, taxonomy, digest_bytes(data))


def read_tensors(bundle: Bundle, storage: Storage) -> dict[str, Tensor]:
    """Read a bundle's tensors by name.

    Raises:
        InputError: the file is not there, or is not the one that bundle.json describes.
    """
    digest = bundle.info.digests.get("model")
    data = read_part(bundle.uri, "model.safetensors", digest, storage)
    return unpack(data)


def load_classifier(bundle: Bundle, storage: Storage) -> Classifier:
    """Load a bundle's model in float32, in evaluation mode; its head as it was trained.

    Raises:
        InputError: the weights are damaged or are another model's.
    """
    info = bundle.info
    made_with = " ".join(f"{name} {version}" for name, version in info.libraries.items())
    try:
        classifier = build_classifier(
            info.architecture, len(info.category_ids), info.preprocessing.size_px
        )
    except InputError as error:
        hint = f"; it was made with {made_with}" if made_with else ""
        raise InputError(f"{bundle.uri}: its network cannot be built: {error}{hint}") from None
    state = read_tensors(bundle, storage)
    for name in (APART_WEIGHT, APART_BIAS):
        state.pop(name, None)
    expected = classifier.state_dict()
    if state.keys() != expected.keys() and len(state) == len(expected):
        # another version of the library may call the same tensors otherwise
        state = in_order(state, expected) or state
    try:
        classifier.load_state_dict(state)
    except RuntimeError as error:
        # the first line names the class alone
        first = " ".join(str(error).split())
        raise InputError(f"{bundle.uri}: model.safetensors does not fit: {first:.300}") from None
    return classifier.eval()

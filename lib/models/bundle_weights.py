"""A bundle's model: written after training, loaded where items are classified."""

from collections.abc import Mapping

import safetensors.torch
from torch import Tensor

from lib.errors import InputError
from lib.hashing import digest_bytes
from lib.models.bundle import APART_BIAS, APART_WEIGHT, Bundle, BundleInfo, read_part
from lib.models.classifier import Classifier, build_classifier
from lib.models.pretrained import parameters_of
from lib.storage.storage import Storage
from lib.storage.uris import join
from lib.taxonomy.taxonomy import Taxonomy


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
    model = safetensors.torch.save(parameters_of(classifier))
    taxonomy_yaml = taxonomy.to_yaml().encode()
    digests = {
        **info.digests,
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


def read_tensors(bundle: Bundle, storage: Storage) -> dict[str, Tensor]:
    """Read a bundle's tensors by name.

    Raises:
        InputError: the file is not there, or is not the one that bundle.json describes.
    """
    digest = bundle.info.digests.get("model")
    data = read_part(bundle.uri, "model.safetensors", digest, storage)
    return dict(safetensors.torch.load(data))


def load_classifier(bundle: Bundle, storage: Storage) -> Classifier:
    """Load a bundle's model in float32, in evaluation mode; its head as it was trained.

    Raises:
        InputError: the weights are damaged or are another model's.
    """
    info = bundle.info
    classifier = build_classifier(
        info.architecture, len(info.category_ids), info.preprocessing.size_px
    )
    state = read_tensors(bundle, storage)
    for name in (APART_WEIGHT, APART_BIAS):
        state.pop(name, None)
    try:
        classifier.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{bundle.uri}: model.safetensors does not fit: {first}") from None
    return classifier.eval()

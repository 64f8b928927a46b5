"""A bundle's model: written after training, loaded where items are classified."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import safetensors.torch
from torch import Tensor

from lib.errors import InputError
from lib.hashing import digest_bytes, digest_json
from lib.images.preprocessing import Preprocessing
from lib.models.bundle import APART_BIAS, APART_WEIGHT, Bundle, BundleInfo, damaged
from lib.models.bundle_tensors import pack, read_tensors
from lib.models.classifier import Classifier, build_classifier, libraries_of, try_size
from lib.models.outline import fill, outline_of
from lib.models.pretrained import COUNTER, adapted_by_timm, in_order, parameters_of
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
    """Write a bundle of a classifier, as `write_tensors`."""
    return write_tensors(uri, storage, parameters_of(classifier), taxonomy, info)


def write_tensors(
    uri: str, storage: Storage, tensors: Mapping[str, Tensor], taxonomy: Taxonomy, info: BundleInfo
) -> Bundle:
    """Write a bundle; `bundle.json` comes last, so that half a bundle is none.

    Args:
        uri: the folder.
        storage: how to reach it.
        tensors: of the trained classifier, in its order.
        taxonomy: whose leaves the head's columns are.
        info: its description; the digests of these files are added here.
    """
    model = pack(tensors)
    taxonomy_yaml = taxonomy.to_yaml().encode()
    digests = {
        **info.digests,
        "model": digest_bytes(model),
        "taxonomy": digest_bytes(taxonomy_yaml),
        "backbone": backbone_digest(tensors, info.preprocessing),
    }
    described = info.model_copy(
        update={"digests": digests, "libraries": libraries_of(info.architecture)}
    )
    data = described.to_json()
    storage.write(join(uri, "model.safetensors"), model)
    storage.write(join(uri, "taxonomy.yaml"), taxonomy_yaml)
    storage.write(join(uri, "bundle.json"), data)
    return Bundle(uri, described, taxonomy, digest_bytes(data))


def backbone_digest(tensors: Mapping[str, Tensor], preprocessing: Preprocessing) -> str:
    """Name what embeddings follow from: the backbone's of a classifier's tensors, and its input."""
    backbone = {
        name.removeprefix(_BACKBONE): value.contiguous()
        for name, value in tensors.items()
        if name.startswith(_BACKBONE)
    }
    return digest_json([digest_bytes(safetensors.torch.save(backbone)), preprocessing.digest])


def load_classifier(bundle: Bundle, storage: Storage) -> Classifier:
    """Load a bundle's model in float32, in evaluation mode; its head as it was trained.

    Raises:
        InputError: the weights are damaged or are another model's.
    """
    architecture, size_px = bundle.info.architecture, bundle.info.preprocessing.size_px
    state = read_tensors(bundle, storage)
    for name in (APART_WEIGHT, APART_BIAS):
        state.pop(name, None)
    rows, width = state["head.weight"].shape
    with _saying_whose(bundle):
        # a name may stand for gigabytes: the file is compared with it before any are taken
        outline = outline_of(architecture, rows, width, size_px)
    if outline is not None:
        state = _fitting(state, outline, bundle)
        if (filled := fill(outline, state)) is not None:
            with _saying_whose(bundle):
                given = try_size(filled.backbone, architecture, size_px)
            if given.shape != (1, width):
                gives = list(given.shape[1:])
                raise _unfit(bundle, f"its head takes {width} numbers, the network gives {gives}")
            return filled.eval()
    with _saying_whose(bundle):
        classifier = build_classifier(architecture, rows, size_px)
    classifier.load_state_dict(_fitting(state, classifier, bundle))
    return classifier.eval()


@contextmanager
def _saying_whose(bundle: Bundle) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(
            f"{bundle.uri}: its network cannot be built: {error}{_made_with(bundle)}"
        ) from None


def _made_with(bundle: Bundle) -> str:
    versions = " and ".join(f"{name} {version}" for name, version in bundle.info.libraries.items())
    return f" (the bundle was made with {versions})" if versions else ""


def _unfit(bundle: Bundle, why: str) -> InputError:
    return InputError(
        f"{bundle.uri}: model.safetensors does not fit: {why:.300}{_made_with(bundle)}"
    )


def _fitting(state: dict[str, Tensor], classifier: Classifier, bundle: Bundle) -> dict[str, Tensor]:
    """Return tensors under a classifier's names, whatever another version called them.

    Raises:
        InputError: they are not this network's.
    """
    expected = classifier.state_dict()
    if state.keys() != expected.keys():
        state = _renamed(state, classifier)
    for name, value in expected.items():
        if name not in state:
            if not name.endswith(COUNTER):
                raise _unfit(bundle, f"it lacks '{name}'")
        elif state[name].dtype != value.dtype:
            raise damaged(bundle, f"'{name}' is {state[name].dtype}, not {value.dtype}")
        elif state[name].shape != value.shape:
            shapes = f"{list(state[name].shape)}, and the network's is {list(value.shape)}"
            raise _unfit(bundle, f"'{name}' is {shapes}")
    if unknown := [name for name in state if name not in expected]:
        raise _unfit(bundle, f"the network has no '{unknown[0]}'")
    return state


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

"""A bundle's classifier of titles, as a file: written after training, looked over when read."""

from typing import TYPE_CHECKING

import numpy as np
import safetensors.numpy

from lib.errors import InputError
from lib.hashing import digest_bytes
from lib.models.bundle import Bundle, damaged, read_part
from lib.models.bundle_arrays import Arrays, is_finite, unpack_arrays
from lib.names.classifier import NameClassifier, NameWeights
from lib.names.encoder_files import EncoderFiles
from lib.names.features import TitleEncoder
from lib.names.text import VERSION, NGrams
from lib.names.text_encoder import TextEncoder
from lib.storage.storage import Storage
from lib.storage.uris import join

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

NAMES = "names.safetensors"
ENCODER = "encoder/"  # the folder of a text encoder's files


def is_of_names(part: str) -> bool:
    """Say whether one of a bundle's files belongs to its classifier of titles."""
    return part == NAMES or part.startswith(ENCODER)


def write_names(uri: str, storage: Storage, weights: NameWeights) -> dict[str, str]:
    """Write a classifier of titles, before the bundle; return digests for `BundleInfo.digests`.

    A text encoder's files come with it, from where they lie.

    Args:
        uri: the bundle's folder.
        storage: how to reach it.
        weights: what was learned.

    Raises:
        InputError: a file of the text encoder is another than it was.
    """
    sparse = weights.weight
    data = safetensors.numpy.save(
        {
            "ends": sparse.indptr.astype(np.int32),
            "columns": sparse.indices.astype(np.int32),
            "weights": sparse.data.astype(np.float16),
            "bias": weights.bias,
        }
    )
    storage.write(join(uri, NAMES), data)
    files = weights.encoder.files
    copied = files.digests if files else {}
    for path in copied:
        assert files
        storage.write(join(uri, ENCODER + path), files.read(path, storage))
    return {NAMES: digest_bytes(data)} | {ENCODER + path: copied[path] for path in copied}


def encoder_of(bundle: Bundle, storage: Storage) -> TitleEncoder:
    """Return what makes features of titles for a bundle: n-grams, where it has no text encoder.

    Raises:
        InputError: its text encoder is damaged, or cannot be read here.
    """
    info = bundle.info.names
    if info is None or info.encoder is None:
        return NGrams()
    digests = {
        part.removeprefix(ENCODER): digest
        for part, digest in bundle.info.digests.items()
        if part.startswith(ENCODER)
    }
    uri = join(bundle.uri, ENCODER.rstrip("/"))
    return TextEncoder(EncoderFiles(name=info.encoder, uri=uri, digests=digests), storage)


def read_names(bundle: Bundle, storage: Storage) -> NameClassifier | None:
    """Read a bundle's classifier of titles, or None where the bundle uses none.

    Raises:
        InputError: the file is not there, is not the one that bundle.json describes, cannot be what
            a training has made, or is of a version that takes titles apart in another way; or its
            text encoder cannot be used.
    """
    info = bundle.info.names
    if info is None:
        return None
    if info.version != VERSION:
        raise InputError(
            f"{bundle.uri}: its names are of version {info.version}, and this version of Reshelve "
            f"knows {VERSION} alone; train it again, or take the version that made it"
        )
    data = read_part(bundle.uri, NAMES, bundle.info.digests.get(NAMES), storage)
    arrays = unpack_arrays(data, bundle, NAMES)
    encoder, count = encoder_of(bundle, storage), len(info.category_ids)
    if fault := _fault_in(arrays, encoder.width, count):
        raise damaged(bundle, fault, NAMES)
    weight = _matrix(arrays, encoder.width, count)
    return NameClassifier(
        weights=NameWeights(encoder=encoder, weight=weight, bias=arrays["bias"]),
        category_ids=info.category_ids,
        leaves=bundle.info.leaves,
        temperature=info.temperature,
    )


def _matrix(arrays: Arrays, width: int, categories: int) -> "csr_matrix":
    from scipy.sparse import csr_matrix  # noqa: PLC0415  # only where names are used

    parts = (arrays["weights"].astype(np.float32), arrays["columns"], arrays["ends"])
    return csr_matrix(parts, shape=(width, categories))


def _fault_in(arrays: Arrays, width: int, categories: int) -> str:
    """Say what is wrong with the tensors; an empty text where nothing is."""
    nothing = np.empty(0)
    kinds = {
        "ends": ("int32", width + 1),
        "columns": ("int32", arrays.get("weights", nothing).size),
        "weights": ("float16", arrays.get("columns", nothing).size),
        "bias": ("float32", categories),
    }
    for name, (kind, length) in kinds.items():
        if name not in arrays:
            return f"it lacks '{name}'"
        found = arrays[name]
        if found.dtype != kind or found.shape != (length,):
            return f"'{name}' is not {length:,} numbers of {kind}"
        if not is_finite(found):
            return f"'{name}' holds a number that is not finite"
    ends, columns = arrays["ends"], arrays["columns"]
    if ends[0] != 0 or ends[-1] != len(columns) or bool((np.diff(ends) < 0).any()):
        return "'ends' does not divide the weights among the features"
    if len(columns) and not 0 <= int(columns.min()) <= int(columns.max()) < categories:
        return "'columns' names categories that are none of bundle.json's"
    return ""

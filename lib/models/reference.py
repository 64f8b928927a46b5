"""A bundle's reference: a sample of what it was trained on, which nights are compared with."""

import pyarrow as pa

from lib.drift.sample import Sample, read_sample
from lib.hashing import digest_bytes
from lib.models.bundle import Bundle, damaged, read_part
from lib.storage.storage import Storage
from lib.storage.uris import join

REFERENCE = "reference.parquet"


def write_reference(uri: str, storage: Storage, sample: Sample) -> dict[str, str]:
    """Write a bundle's reference, before the bundle; return its digest, for `BundleInfo.digests`.

    Args:
        uri: the bundle's folder.
        storage: how to reach it.
        sample: of the training's items, see `sample_of`.
    """
    data = sample.to_parquet()
    storage.write(join(uri, REFERENCE), data)
    return {REFERENCE: digest_bytes(data)}


def read_reference(bundle: Bundle, storage: Storage) -> Sample | None:
    """Read a bundle's reference, or None where the bundle has none, as those of older versions.

    Raises:
        InputError: the file is not there, is not the one that bundle.json describes, or cannot be
            what a training has made.
    """
    digest = bundle.info.digests.get(REFERENCE)
    if not digest:
        return None
    data = read_part(bundle.uri, REFERENCE, digest, storage)
    try:
        return read_sample(data)
    except (pa.ArrowException, OSError, ValueError) as error:
        why = f"it cannot be read ({' '.join(str(error).split()):.200})"
        raise damaged(bundle, why, REFERENCE) from None

"""Bundles that use names, made in code: each title names its category."""

from pathlib import Path

import numpy as np

from lib.models.bundle import Bundle, read_bundle
from lib.models.names import Kept, NamesInfo
from lib.names.classifier import NameWeights, fit_names
from lib.names.features import TitleEncoder
from lib.names.part import write_names
from lib.names.text import VERSION, NGrams
from tests.helpers import catalogs

LEAVES = catalogs.TAXONOMY.leaves
TITLES = [f"{leaf} number {n}" for n in range(6) for leaf in LEAVES]


def fitted(encoder: TitleEncoder | None = None) -> NameWeights:
    """Fit the titles, by their n-grams or by a text encoder."""
    found = fit_names(
        (encoder or NGrams()).encode(TITLES), np.arange(len(TITLES)) % len(LEAVES), len(LEAVES)
    )
    assert found
    return found


def make_named_bundle(
    folder: Path,
    weights: tuple[float, float] = (1.0, 1.0),
    *,
    both: float = 0.5,
    alone: float = 0.5,
    architecture: str = "squeezenet1_1",
    encoder: TitleEncoder | None = None,
) -> Bundle:
    """Write a bundle that uses names.

    Args:
        folder: of the bundle.
        weights: of the image and of the name.
        both: the least confidence of items with an image and a name.
        alone: that of items by their name alone.
        architecture: of the network.
        encoder: of the titles; None for n-grams.
    """
    made = catalogs.make_bundle(str(folder), architecture=architecture)
    digests = write_names(str(folder), catalogs.LOCAL, fitted(encoder))
    info = NamesInfo(
        version=VERSION,
        encoder=encoder.files.name if encoder and encoder.files else None,
        category_ids=LEAVES,
        temperature=1.0,
        image_weight=weights[0],
        name_weight=weights[1],
        both=Kept(threshold=both),
        alone=Kept(threshold=alone),
    )
    update = {"names": info, "digests": {**made.info.digests, **digests}}
    (folder / "bundle.json").write_bytes(made.info.model_copy(update=update).to_json())
    return read_bundle(str(folder), catalogs.LOCAL)

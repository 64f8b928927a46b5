"""Bundles that share a backbone: an old bundle's, with a new head."""

from dataclasses import dataclass, field, replace
from typing import Any

import torch

from lib.backfill.carried_thresholds import carry_thresholds
from lib.backfill.head_split import carry_rows
from lib.backfill.new_names import NewNames, carry_names
from lib.drift.sample import Sample
from lib.hashing import digest_bytes
from lib.labels.promises import Claim
from lib.models.bundle import APART_BIAS, APART_WEIGHT, Bundle, read_part
from lib.models.bundle_tensors import pack, read_tensors
from lib.models.head import Head, read_head
from lib.models.int8 import Int8
from lib.models.openvino_runtime import FILES
from lib.models.reference import read_reference, write_reference
from lib.names.part import is_of_names, write_names
from lib.storage.storage import Storage
from lib.storage.uris import join
from lib.taxonomy.migration import Migration
from lib.taxonomy.taxonomy import Taxonomy


@dataclass(frozen=True)
class NewHead:
    """A head and what belongs to it; the rest of its bundle is the old one's.

    Attributes:
        head: the head.
        threshold: the least confidence of categories that `thresholds` does not name.
        thresholds: the least confidence of categories, leaves or above, by id.
        claims: what the thresholds rest on; none where they were carried over.
        metrics: on held-out items; none where the head was not fitted.
        keeps_int8: whether labels in int8, and of what a GPU decodes, are as good as the old
            bundle's; for a head that was fitted, no one has looked.
        int8: what held-out items say of labels in int8, where anyone has looked.
        names: the names that belong to it, or None where the bundle uses none.
        recipe: how it was fitted, dial by dial; None leaves what the old bundle says.
        reference: what nights are compared with; None leaves the old bundle's, without what its
            head has made of it where that is another.
    """

    head: Head
    threshold: float
    thresholds: dict[str, float] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    keeps_int8: bool = False
    int8: Int8 | None = None
    names: NewNames | None = None
    recipe: dict[str, Any] | None = None
    reference: Sample | None = None


def carry_head(bundle: Bundle, migration: Migration, storage: Storage) -> NewHead:
    """Return the old head under new ids, where each old leaf becomes one new leaf for certain.

    Rows of merged leaves add up, so the probabilities are exactly those that the old head gives.
    """
    old = read_head(bundle, storage, torch.device("cpu"))
    rows = carry_rows(old.rows, migration.destinies)
    info = bundle.info
    return NewHead(
        replace(old, rows=rows),
        info.threshold,
        thresholds=carry_thresholds(info.thresholds, migration),
        keeps_int8=True,
        names=carry_names(bundle, migration, storage),
    )


def write_head_bundle(
    uri: str, storage: Storage, old: Bundle, new: NewHead, taxonomy: Taxonomy
) -> None:
    """Write a bundle of an old one's backbone and a new head; `bundle.json` comes last.

    Args:
        uri: the folder; its run is the folder's.
        storage: how to reach it.
        old: the bundle whose backbone it is.
        new: the new head.
        taxonomy: whose leaves the head's rows stand for.
    """
    head = new.head
    state = {**read_tensors(old, storage), "head.weight": head.weight, "head.bias": head.bias}
    state |= {APART_WEIGHT: head.apart_weight, APART_BIAS: head.apart_bias}
    model = pack(state)
    text = taxonomy.to_yaml().encode()
    for name in (name for files in FILES.values() for name in files):
        if name in old.info.digests:
            digest = old.info.digests[name]
            storage.write(join(uri, name), read_part(old.uri, name, digest, storage))
    digests = {"model": digest_bytes(model), "taxonomy": digest_bytes(text)}
    if reference := new.reference or read_reference(old, storage):
        same = new.reference is not None or head.rows == old.info.category_ids
        reference = reference if same else reference.without_predictions
        digests |= write_reference(uri, storage, reference)
    kept = {name: each for name, each in old.info.digests.items() if not is_of_names(name)}
    if new.names:
        digests |= write_names(uri, storage, new.names.weights)
    described = old.info.model_copy(
        update={
            "run_id": uri.rsplit("/", 2)[-2],
            "category_ids": head.rows,
            "head_power": head.power,
            "temperature": head.temperature,
            "threshold": new.threshold,
            "thresholds": new.thresholds,
            "accept": old.info.promise if new.claims else old.info.accept,
            "claims": new.claims,
            "metrics": new.metrics,
            "int8": old.info.int8 if new.keeps_int8 else new.int8,
            "device_decode": old.info.device_decode if new.keeps_int8 else None,
            "names": new.names.info if new.names else None,
            "recipe": old.info.recipe if new.recipe is None else new.recipe,
            "digests": {**kept, **digests},
        }
    )
    storage.write(join(uri, "model.safetensors"), model)
    storage.write(join(uri, "taxonomy.yaml"), text)
    storage.write(join(uri, "bundle.json"), described.to_json())

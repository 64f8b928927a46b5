"""What a training is given: its run file, the labelled items, and the model that it begins with."""

import pyarrow as pa
import torch

from lib.batches import to_parquet
from lib.catalog.catalog import labels_of
from lib.catalog.left_out import LeftOut
from lib.catalog.split import read_both, to_sides
from lib.errors import InputError
from lib.hashing import digest_bytes, digest_json
from lib.labels.annotations_table import AnnotationsTable
from lib.models.bundle_tensors import pack
from lib.models.classifier import build_classifier
from lib.models.config import ChosenModel
from lib.models.packaged import is_packaged, packaged_classifier
from lib.models.pretrained import load_backbone, parameters_of
from lib.names.encoder_files import find_encoder
from lib.review.teach import Taught, teach
from lib.runs.run import Intent
from lib.storage.storage import Storage
from lib.taxonomy.taxonomy import Taxonomy, some_of
from pipelines.train_config import TrainRun

# a share of the labels that is smaller says too little: then each item is held out in turn
ENOUGH_HELD_OUT = 300


def read_labelled(
    config: TrainRun,
    model: ChosenModel,
    taxonomy: Taxonomy,
    storage: Storage,
    left_out: LeftOut | None = None,
) -> tuple[pa.Table, pa.Table, Taught | None]:
    """Read the items to train on and those held out, each with a leaf of the taxonomy.

    No item is held out where a share of them would be too few to judge by, unless the run file or
    the catalog says which. `left_out` learns what lies in the catalogs' places and is no item.

    Returns:
        The two, and what people's answers have done to them, if the run file names their table.

    Raises:
        InputError: the catalog or the answers cannot be used, or a leaf has no labelled item.
    """
    items, held_out, taught = read_taught_sides(config, taxonomy, storage, left_out)
    for table, source in ((items, config.catalog), (held_out, config.validation or config.catalog)):
        if not table.num_rows:
            raise InputError(f"{source.uri}: no item has a label")
        taxonomy.check_labels(labels_of(table), source.uri)
    if missing := sorted(set(taxonomy.leaves) - set(labels_of(items))):
        raise InputError(
            f"{config.catalog.uri}: no labelled item to train on for these categories of "
            f"{config.taxonomy}: {some_of(missing)}; label a few of each, or take them out"
        )
    given = config.validation is not None or items["split"].null_count < items.num_rows
    if given or held_out.num_rows >= ENOUGH_HELD_OUT or model.weights == "none":
        return items, held_out, taught
    together = pa.concat_tables([items, held_out]).sort_by("item_id")
    return together, held_out.slice(0, 0), taught


def read_taught_sides(
    config: TrainRun, taxonomy: Taxonomy, storage: Storage, left_out: LeftOut | None = None
) -> tuple[pa.Table, pa.Table, Taught | None]:
    """Read the labelled items as they are divided, with the answers that stand in their places.

    Raises:
        InputError: the catalog or the answers cannot be used.
    """
    items, held_out = read_both(config.catalog, config.validation, storage, left_out)
    taught = None
    if config.annotations is not None:
        table = AnnotationsTable(config.annotations, storage)
        if table.version() is None:
            raise InputError(
                f"annotations: there is no table of people's answers in {config.annotations}; give "
                "the one that the desk writes, or leave the key out"
            )
        taught = teach(items, held_out, table.standing(taxonomy))
        items, held_out = taught.items, taught.validation
    sides = to_sides(items, held_out, config.validation_fraction, config.catalog.uri)
    return *sides, taught


def describe(
    config: TrainRun, model: ChosenModel, taxonomy: Taxonomy, *tables: pa.Table | None
) -> Intent:
    """Return the run's fingerprint, and its run file without secrets.

    Args:
        config: the run file.
        model: the network.
        taxonomy: of the labels.
        tables: of all items that the training is given; None where there are none of a kind.

    Raises:
        InputError: the text encoder that the run file names cannot be used.
    """
    described = config.model_dump(mode="json", exclude={"storage", "mlflow"})
    described["model"] = model.model_dump(mode="json")
    recipe = ("model", "training", "accept", "strategy", "minutes")
    encoder = config.names.encoder
    names = {"names": find_encoder(encoder, Storage(config.storage)).digest} if encoder else {}
    return Intent(
        job="train",
        fingerprint={
            "taxonomy": taxonomy.digest,
            "preprocessing": model.preprocessing.digest,
            "snapshot": digest_bytes(
                b"".join(to_parquet(each) for each in tables if each is not None)
            ),
            "recipe": digest_json([described[key] for key in recipe]),
            **names,
        },
        run_file=described,
    )


def initial_model(
    config: TrainRun, model: ChosenModel, taxonomy: Taxonomy, storage: Storage
) -> bytes:
    """Return the model that every worker, and every later try, begins with, as safetensors."""
    if is_packaged(model):
        return pack(packaged_classifier(len(taxonomy.leaves), storage))
    torch.manual_seed(config.training.seed)
    size_px = model.preprocessing.size_px
    classifier = build_classifier(model.architecture, len(taxonomy.leaves), size_px)
    load_backbone(classifier, model.architecture, model.weights, storage)
    if model.weights != "none":
        # nothing is preferred before anything is learned
        torch.nn.init.zeros_(classifier.head.weight)
        torch.nn.init.zeros_(classifier.head.bias)
    return pack(parameters_of(classifier))

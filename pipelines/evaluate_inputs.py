"""What an evaluation is of: its run file, the bundle or the table, the labelled items, slices."""

import posixpath
from dataclasses import dataclass
from io import BytesIO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet
from pydantic import Field, field_validator

from lib.catalog.catalog import CatalogConfig, labels_of, read_catalog
from lib.catalog.columns import read_columns
from lib.catalog.left_out import LeftOut
from lib.catalog.split import TRAIN
from lib.errors import InputError
from lib.evaluation.answers import Lineage
from lib.images.config import ReadingConfig
from lib.inference.config import EngineConfig
from lib.labels.delta_table import LabelsTable
from lib.models.bundle import Bundle, read_bundle
from lib.runs import files
from lib.runs.run import RunFile
from lib.storage.storage import Storage
from lib.storage.uris import join
from lib.taxonomy.taxonomy import Taxonomy, read_taxonomy
from pipelines.steps import within_catalogs


class EvaluateRun(RunFile):
    """The run file of `reshelve evaluate`."""

    catalog: CatalogConfig
    bundle: str | None = None
    labels_table: str | None = None
    taxonomy: str | None = None
    against: str | None = None
    folds: int | None = Field(default=None, ge=2)
    slices: tuple[str, ...] = ()
    engine: EngineConfig = EngineConfig()
    reading: ReadingConfig = Field(default=ReadingConfig(), validate_default=True)

    _within = field_validator("reading")(within_catalogs)


@dataclass(frozen=True)
class Subject:
    """What is evaluated, a bundle or a version of a labels table, and what with."""

    bundle: Bundle | None
    table: LabelsTable | None
    version: int | None
    taxonomy: Taxonomy
    against: Bundle | None

    @property
    def name(self) -> str:
        """Where it lies."""
        if self.bundle:
            return self.bundle.uri
        assert self.table
        return self.table.name


def open_subject(config: EvaluateRun, storage: Storage) -> Subject:
    """Open what is evaluated.

    Raises:
        InputError: the run file names none, or two, or it is not there.
    """
    if (config.bundle is None) == (config.labels_table is None):
        raise InputError(
            "an evaluation is of one thing: give 'bundle' or 'labels_table' in the run file, "
            f"not {'both' if config.bundle else 'neither'}"
        )
    against = read_bundle(config.against, storage) if config.against else None
    if config.bundle:
        if config.taxonomy:
            raise InputError(
                "'taxonomy' goes with 'labels_table'; a bundle has its own, so leave it out"
            )
        bundle = read_bundle(config.bundle, storage)
        return Subject(bundle, None, None, bundle.taxonomy, against)
    assert config.labels_table
    if config.folds:
        raise InputError(
            "'folds' fits heads on a bundle's backbone, which a labels table does not have; give "
            "'bundle' instead, or leave 'folds' out"
        )
    if not config.taxonomy:
        raise InputError("'labels_table' needs 'taxonomy': the file that its labels are of")
    taxonomy = read_taxonomy(config.taxonomy, storage)
    table = LabelsTable(config.labels_table, storage)
    version = table.version()
    if version is None:
        raise InputError(f"{config.labels_table}: there is no labels table here")
    return Subject(None, table, version, taxonomy, against)


def read_items(config: EvaluateRun, subject: Subject, left_out: LeftOut) -> pa.Table:
    """Read the labelled items; those that a manifest's `split` names for training are left out.

    `left_out` learns what lies in the catalog's place and is no item.

    Raises:
        InputError: the catalog cannot be used, or a label is not of the taxonomy.
    """
    uri = config.catalog.uri
    items = read_catalog(config.catalog, Storage(config.storage), left_out)
    items = items.filter(pc.is_valid(items["category_id"]))
    if not items.num_rows:
        raise InputError(f"{uri}: no item has a label")
    if config.folds is None:
        items = items.filter(pc.fill_null(pc.not_equal(items["split"], TRAIN), fill_value=True))
        if not items.num_rows:
            raise InputError(
                f"{uri}: the column 'split' says '{TRAIN}' of every labelled item; a model is "
                "evaluated on others"
            )
    labels = labels_of(items)
    if subject.bundle:
        subject.taxonomy.check_labels(labels, uri)
    for taxonomy in (subject.taxonomy, *([subject.against.taxonomy] if subject.against else [])):
        Lineage(taxonomy).places(labels, uri)
    return items.combine_chunks()


def read_slices(config: EvaluateRun, items: pa.Table, storage: Storage) -> pa.Table:
    """Read the columns that items are sliced by, in the items' order, with their item_id.

    Raises:
        InputError: the catalog has no such column.
    """
    if not config.slices:
        return items.select(["item_id"])
    found = read_columns(config.catalog.uri, [*dict.fromkeys(config.slices)], storage)
    return found.take(pc.index_in(items["item_id"], found["item_id"].combine_chunks()))


def count_trained_on(subject: Subject, predictions: pa.Table, storage: Storage) -> int:
    """Count the images that a bundle was trained on, where its training's folder is around it."""
    if subject.bundle is None:
        return 0
    items = join(posixpath.dirname(subject.bundle.uri), files.TRAIN_ITEMS)
    if not storage.exists(items):
        return 0
    seen = parquet.read_table(BytesIO(storage.read(items)), columns=["uri"])["uri"]
    return pc.sum(pc.is_in(predictions["uri"], seen.combine_chunks())).as_py() or 0

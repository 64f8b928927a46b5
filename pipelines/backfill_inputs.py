"""What a backfill is given: its run file, and what that names, read and checked."""

from typing import Self

from pydantic import model_validator

from lib.backfill.labelled_items import Labelled
from lib.catalog.left_out import LeftOut, left_out_sentence
from lib.embeddings.store import EmbeddingStore
from lib.errors import InputError
from lib.images.config import ReadingConfig
from lib.inference.config import EngineConfig, UnitJob
from lib.labels.delta_table import LabelsTable
from lib.labels.gates import GatesConfig
from lib.models.bundle import Bundle, read_bundle
from lib.runs.notify import NotifyConfig
from lib.runs.progress import plural, stage
from lib.runs.run import Run, RunFile
from lib.schemas import ITEM_SCHEMA
from lib.storage.storage import Storage
from lib.taxonomy.migration import migrate, within
from lib.taxonomy.taxonomy import read_taxonomy
from pipelines.answers import annotations_place
from pipelines.backfill_labelled import LabelledConfig, read_labelled, refuse_other_backbone
from pipelines.backfill_plan import Move
from pipelines.current_bundle import find_bundle
from pipelines.steps import Say


class BackfillRun(RunFile):
    """A backfill's run file."""

    bundle: str
    taxonomy: str | None = None
    head: str | None = None
    through: tuple[str, ...] = ()
    labels_table: str = "labels"
    annotations: str | None = None
    embeddings: str = "embeddings"
    labelled: LabelledConfig = LabelledConfig()
    engine: EngineConfig = EngineConfig()
    reading: ReadingConfig = ReadingConfig()
    gates: GatesConfig = GatesConfig()
    notify: NotifyConfig = NotifyConfig()

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.taxonomy is None) == (self.head is None):
            raise ValueError("give either taxonomy, to move the table, or head, to label it anew")
        return self


def read_inputs(config: BackfillRun, storage: Storage, say: Say) -> tuple[Move, Labelled]:
    """Read what is moved, and the labelled items that a head may be fitted on.

    Raises:
        InputError: something given cannot be used.
    """
    left_out = LeftOut()
    with stage(say, "reading the bundle, the taxonomies and the labelled items"):
        if config.head is not None:
            nothing = ITEM_SCHEMA.empty_table()
            return read_head(config, config.head, storage), Labelled(nothing, nothing, 0)
        move = read_move(config, storage)
        labelled = read_labelled(config.labelled, move.table, move.migration, storage, left_out)
    if sentence := left_out_sentence(left_out.counts):
        say(sentence)
    if labelled.answers is not None:
        say(f"{plural(labelled.answers, 'answer')} used as examples of the new taxonomy")
    return move, labelled


def read_move(config: BackfillRun, storage: Storage) -> Move:
    """Read what is moved, from where to where.

    Raises:
        InputError: the bundle or a taxonomy cannot be used, or does not follow the one before it.
    """
    table = LabelsTable(config.labels_table, storage)
    bundle = find_bundle(config.bundle, table, storage)
    following = [
        read_taxonomy(each, storage) for each in (*config.through, config.taxonomy) if each
    ]
    store = EmbeddingStore(config.embeddings, bundle.backbone_digest, storage)
    migration = migrate([bundle.taxonomy, *following])
    if migration.for_model:
        refuse_other_backbone(store, config.embeddings, storage)
    return Move(
        table=table,
        bundle=bundle,
        migration=migration,
        store=store,
        annotations=annotations_place(config.annotations, config.labels_table),
    )


def read_head(config: BackfillRun, named: str, storage: Storage) -> Move:
    """Read which table a head labels anew.

    Raises:
        InputError: a bundle cannot be used, or the head is of another backbone or taxonomy.
    """
    table = LabelsTable(config.labels_table, storage)
    bundle, head = find_bundle(config.bundle, table, storage), read_bundle(named, storage)
    if head.backbone_digest != bundle.backbone_digest:
        raise InputError(
            f"head: {named} is of another backbone than {bundle.uri}, so the kept embeddings say "
            "nothing to it; label the catalog with it in a night with night.redo: [bundle]"
        )
    if head.taxonomy.digest != bundle.taxonomy.digest:
        raise InputError(
            f"head: {named} is of taxonomy version {head.taxonomy.version}, and the table's labels "
            f"are of version {bundle.taxonomy.version}; fit a head on that"
        )
    store = EmbeddingStore(config.embeddings, bundle.backbone_digest, storage)
    refuse_other_backbone(store, config.embeddings, storage)
    return Move(
        table=table,
        bundle=bundle,
        migration=within(bundle.taxonomy),
        store=store,
        annotations=annotations_place(config.annotations, config.labels_table),
        head=head,
    )


def unit_job(config: BackfillRun, run: Run, bundle: Bundle) -> UnitJob:
    """Return what the units have in common that are classified from their images."""
    return UnitJob(
        run=run,
        bundle_uri=bundle.uri,
        engine=config.engine,
        reading=config.reading,
        embeddings=True,
    )

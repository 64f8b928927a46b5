"""Evaluation, step by step: a bundle or a labels table against labelled items."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from lib.batches import to_parquet
from lib.catalog.catalog import CatalogConfig, labels_of, read_catalog
from lib.catalog.columns import read_columns
from lib.catalog.split import TRAIN
from lib.errors import InputError
from lib.evaluation.answers import Lineage, answers_of
from lib.evaluation.assessment import assess
from lib.evaluation.findings import Findings
from lib.evaluation.paired import Comparison, compare
from lib.evaluation.predictions import Answered, in_common, write_predictions
from lib.evaluation.slices import Slice, slice_by
from lib.hashing import digest_bytes, digest_json
from lib.images.config import ReadingConfig
from lib.inference.config import EngineConfig
from lib.labels.delta_table import LabelsTable
from lib.models.bundle import Bundle, read_bundle
from lib.runs import files
from lib.runs.run import Intent, Run, RunFile, open_run
from lib.storage.storage import Storage
from lib.taxonomy.taxonomy import Taxonomy, read_taxonomy
from pipelines.evaluate_bundle import Seen, answer, cross_validate, see
from pipelines.evaluate_report import Shown, tell, write_report
from pipelines.evaluate_table import answer_from
from pipelines.steps import Say, within_catalogs


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


def evaluate(config: EvaluateRun, say: Say) -> None:
    """Evaluate a bundle or a labels table; keep predictions, findings and a report.

    Args:
        config: the run file.
        say: takes each line for the person who waits.

    Raises:
        InputError: something given cannot be used; no work was done.
        ReshelveError: the evaluation stopped; the same command resumes it.
    """
    storage = Storage(config.storage)
    subject = open_subject(config, storage)
    items = read_items(config, subject)
    columns = read_slices(config, items, storage)
    run = open_run(config.output, config.run_id, describe(config, subject, items, columns), storage)
    if outcome := run.outcome:
        say(f"{run} has ended before: {outcome['sentence']}")
        return
    say(f"{run}: {items.num_rows:,} labelled items")
    answered, other = ask(config, subject, items, run)
    write_predictions(run.at(files.PREDICTIONS), storage, answered.predictions)
    if other:
        write_predictions(run.at(files.AGAINST_PREDICTIONS), storage, other.predictions)
    findings = find(config, subject, answered, other, columns)
    run.write(files.EVALUATION, findings.model_dump_json(indent=2).encode())
    write_report(run, findings, shown_of(subject, answered, other, items), config.reading)
    sentence = tell(findings, say)
    say(f"report: {run.at(files.REPORT)}")
    run.end({"state": "evaluated", "sentence": sentence})


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
            "'folds' fits heads on a bundle's backbone, which a labels table has not got; give "
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


def read_items(config: EvaluateRun, subject: Subject) -> pa.Table:
    """Read the labelled items; those that a manifest's `split` names for training are left out.

    Raises:
        InputError: the catalog cannot be used, or a label is not of the taxonomy.
    """
    uri = config.catalog.uri
    items = read_catalog(config.catalog, Storage(config.storage))
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


def describe(config: EvaluateRun, subject: Subject, items: pa.Table, columns: pa.Table) -> Intent:
    """Return the run's fingerprint, and its run file without secrets."""
    bundle, against = subject.bundle, subject.against
    return Intent(
        job="evaluate",
        fingerprint={
            "subject": bundle.digest if bundle else digest_json([subject.name, subject.version]),
            "against": against.digest if against else "",
            "taxonomy": subject.taxonomy.digest,
            "snapshot": digest_bytes(to_parquet(items) + to_parquet(columns)),
            "folds": str(config.folds or ""),
        },
        run_file=config.model_dump(mode="json", exclude={"storage"}),
    )


def ask(
    config: EvaluateRun, subject: Subject, items: pa.Table, run: Run
) -> tuple[Answered, Answered | None]:
    """Ask what is evaluated about the items, and what it is compared with.

    Raises:
        InputError: folds are wanted, and a category has one item alone.
        ReshelveError: no image can be read.
    """
    seen: Seen | None = None
    if subject.bundle:
        seen = see(run, subject.bundle, items, config.engine, config.reading)
        answered = _ask_bundle(config, subject.bundle, seen, run, own=True)
    else:
        assert subject.table
        assert subject.version is not None
        answered = answer_from(subject.table, subject.version, items)
        if not answered.predictions.num_rows:
            raise InputError(
                f"{subject.name}: none of the {items.num_rows:,} labelled items has a label here; "
                "the two are joined by item_id, and by etag where both have one"
            )
    if not subject.against:
        return answered, None
    if not (seen and subject.bundle and _same_backbone(subject.bundle, subject.against)):
        within = run.within(files.AGAINST)
        seen = see(within, subject.against, items, config.engine, config.reading)
    return answered, _ask_bundle(config, subject.against, seen, run, own=False)


def _ask_bundle(
    config: EvaluateRun, bundle: Bundle, seen: Seen, run: Run, *, own: bool
) -> Answered:
    if config.folds:
        return cross_validate(seen, bundle, config.folds, config.catalog.uri)
    return answer(seen, bundle, run, own=own)


def _same_backbone(one: Bundle, other: Bundle) -> bool:
    """Whether no image is to be read twice."""
    alike = one.info.preprocessing == other.info.preprocessing
    return alike and one.backbone_digest == other.backbone_digest


def find(
    config: EvaluateRun,
    subject: Subject,
    answered: Answered,
    other: Answered | None,
    columns: pa.Table,
) -> Findings:
    """Measure the answers."""
    predictions, taxonomy = answered.predictions, subject.taxonomy
    promised = subject.bundle.info.target_precision if subject.bundle else None
    against = subject.against
    return Findings(
        subject=subject.name,
        version=subject.version,
        taxonomy_version=taxonomy.version,
        catalog=config.catalog.uri,
        folds=config.folds,
        assessment=assess(predictions, taxonomy, subject.name),
        left_out=answered.left_out,
        # what a bundle promises is of its own head
        target_precision=None if config.folds else promised,
        against=against.uri if against else None,
        against_assessment=assess(other.predictions, against.taxonomy, against.uri)
        if other and against
        else None,
        compared=_compare(predictions, taxonomy, other.predictions, against.taxonomy)
        if other and against
        else None,
        slices=_slice(predictions, taxonomy, columns),
    )


def _compare(
    ours: pa.Table, our_taxonomy: Taxonomy, theirs: pa.Table, their_taxonomy: Taxonomy
) -> Comparison:
    """Compare two models on the items that both have answered."""
    ours, theirs = in_common(ours, theirs)
    return compare(
        answers_of(ours, our_taxonomy, "").right, answers_of(theirs, their_taxonomy, "").right
    )


def shown_of(
    subject: Subject, answered: Answered, other: Answered | None, items: pa.Table
) -> Shown:
    """Return what the report needs besides the findings."""
    against = subject.against
    return Shown(
        predictions=answered.predictions,
        taxonomy=subject.taxonomy,
        other=(other.predictions, against.taxonomy) if other and against else None,
        names=dict(zip(items["item_id"].to_pylist(), items["name"].to_pylist(), strict=True)),
        bundle_digest=subject.bundle.digest if subject.bundle else None,
    )


def _slice(predictions: pa.Table, taxonomy: Taxonomy, columns: pa.Table) -> list[Slice]:
    place = pc.index_in(predictions["item_id"], columns["item_id"].combine_chunks())
    values = {
        name: columns[name].take(place).to_pylist()
        for name in columns.column_names
        if name != "item_id"
    }
    return slice_by(values, answers_of(predictions, taxonomy, "").right)

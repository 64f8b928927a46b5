"""Training, step by step: labelled photos in, a calibrated bundle out."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar

import pyarrow as pa
import safetensors.torch
import torch
from pydantic import Field, field_validator

from lib.batches import to_parquet
from lib.catalog.catalog import CatalogConfig, labels_of
from lib.catalog.split import read_sides
from lib.cluster.connection import connected
from lib.cluster.monitor import TrainingWatch
from lib.cluster.train_workers import WorkersConfig, compile_on_ray, train_on_ray
from lib.errors import InputError
from lib.evaluation.held_out import Calibrated, Scored, calibrate
from lib.hashing import digest_bytes, digest_json
from lib.images.config import ReadingConfig
from lib.labels.promises import Accept
from lib.models.bundle import Bundle, BundleInfo, read_bundle
from lib.models.bundle_weights import write_bundle, write_compiled
from lib.models.choice import choose_model
from lib.models.classifier import build_classifier
from lib.models.config import ChosenModel, ModelConfig
from lib.models.pretrained import load_backbone, parameters_of
from lib.reports.data import TrainingReport
from lib.reports.render import render_training
from lib.runs import files
from lib.runs.progress import duration
from lib.runs.run import Intent, Run, RunFile, open_run
from lib.storage.storage import Storage
from lib.taxonomy.taxonomy import Taxonomy, read_taxonomy
from lib.training.checkpoint import read_best, read_checkpoint
from lib.training.config import TrainingConfig
from lib.training.history import EpochRecord
from lib.training.quantize import Compiled
from lib.training.trainer import TrainingJob
from pipelines.steps import Say, within_catalogs


class TrainRun(RunFile):
    """A training's run file."""

    former_keys: ClassVar[Mapping[str, str]] = {"training.target_precision": "accept.precision"}

    taxonomy: str
    catalog: CatalogConfig
    validation: CatalogConfig | None = None
    validation_fraction: float = Field(default=0.2, gt=0, lt=1)
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    accept: Accept = Accept()
    workers: WorkersConfig = WorkersConfig()
    reading: ReadingConfig = Field(default=ReadingConfig(), validate_default=True)

    _within = field_validator("reading")(within_catalogs)


def train(config: TrainRun, say: Say) -> Bundle:
    """Fine-tune a classifier, calibrate it on held-out items, write its bundle and report.

    Args:
        config: the run file.
        say: takes each line for the person who waits.

    Raises:
        InputError: something given cannot be used; no work was done.
        ReshelveError: the training failed.
    """
    storage = Storage(config.storage)
    taxonomy = read_taxonomy(config.taxonomy, storage)
    items, held_out = read_labelled(config, taxonomy, storage)
    model = choose_model(config.model)
    intent = describe(config, model, taxonomy, items, held_out)
    run = open_run(config.output, config.run_id, intent, storage)
    say(f"{run}: {items.num_rows:,} items to train on, {held_out.num_rows:,} held out")
    if outcome := run.outcome:
        say(f"this run has ended before; its bundle is {outcome['bundle']}")
        return read_bundle(outcome["bundle"], storage)
    if not run.exists(files.INITIAL_MODEL):
        run.write_table(files.TRAIN_ITEMS, items)
        run.write_table(files.VALIDATION_ITEMS, held_out)
        run.write(files.INITIAL_MODEL, initial_model(config, model, taxonomy, storage))
    job = TrainingJob(
        run=run,
        architecture=model.architecture,
        category_ids=taxonomy.leaves,
        preprocessing=model.preprocessing,
        recipe=recipe_of(config, model),
        reading=config.reading,
    )
    with connected():
        watch = TrainingWatch(run)

        def tell(epoch: EpochRecord) -> None:
            say(_epoch_line(epoch))
            watch.add(epoch)

        scored = train_on_ray(job, config.workers, tell)
        calibrated = calibrate(scored, taxonomy, config.accept)
        compiled = compile_on_ray(job, config.workers, calibrated.temperature)
    bundle = make_bundle(job, model.weights, taxonomy, config.accept, calibrated, compiled)
    write_report(config, bundle, calibrated, scored, run)
    run.end({"state": "trained", "bundle": bundle.uri, "bundle_digest": bundle.digest})
    say(f"held-out accuracy {calibrated.evaluation.accuracy:.1%}")
    for claim in calibrated.claims:
        say(claim.sentence)
    say(f"bundle: {bundle.uri}\nreport: {run.at(files.REPORT)}")
    return bundle


def recipe_of(config: TrainRun, model: ChosenModel) -> TrainingConfig:
    """Return the recipe that fits the weights: without any there is no head-only stage."""
    scratch = model.weights == "none"
    return config.training.from_scratch() if scratch else config.training


def read_labelled(
    config: TrainRun, taxonomy: Taxonomy, storage: Storage
) -> tuple[pa.Table, pa.Table]:
    """Read the items to train on and those held out, each with a leaf of the taxonomy.

    Raises:
        InputError: the catalog cannot be used, or a leaf has no labelled item.
    """
    items, held_out = read_sides(
        config.catalog, config.validation, config.validation_fraction, storage
    )
    for table, source in ((items, config.catalog), (held_out, config.validation or config.catalog)):
        if not table.num_rows:
            raise InputError(f"{source.uri}: no item has a label")
        taxonomy.check_labels(labels_of(table), source.uri)
    if missing := sorted(set(taxonomy.leaves) - set(labels_of(items))):
        raise InputError(
            f"{config.catalog.uri}: no labelled item to train on for category '{missing[0]}' of "
            f"{config.taxonomy}; label a few, or take the category out"
        )
    return items, held_out


def describe(
    config: TrainRun, model: ChosenModel, taxonomy: Taxonomy, items: pa.Table, held_out: pa.Table
) -> Intent:
    """Return the run's fingerprint, and its run file without secrets."""
    described = config.model_dump(mode="json", exclude={"storage"})
    described["model"] = model.model_dump(mode="json")
    # named as in earlier versions, whose trainings go on
    promise = {"target_precision": config.accept.precision}
    promise |= config.accept.model_dump(exclude={"precision"}, exclude_defaults=True)
    return Intent(
        job="train",
        fingerprint={
            "taxonomy": taxonomy.digest,
            "preprocessing": model.preprocessing.digest,
            "snapshot": digest_bytes(to_parquet(items) + to_parquet(held_out)),
            "recipe": digest_json([described["model"], described["training"] | promise]),
        },
        run_file=described,
    )


def initial_model(
    config: TrainRun, model: ChosenModel, taxonomy: Taxonomy, storage: Storage
) -> bytes:
    """Return the model that every worker, and every later try, begins with, as safetensors."""
    torch.manual_seed(config.training.seed)
    size_px = model.preprocessing.size_px
    classifier = build_classifier(model.architecture, len(taxonomy.leaves), size_px)
    load_backbone(classifier, model.architecture, model.weights, storage)
    return safetensors.torch.save(parameters_of(classifier))


def make_bundle(
    job: TrainingJob,
    weights: str,
    taxonomy: Taxonomy,
    accept: Accept,
    calibrated: Calibrated,
    compiled: Compiled,
) -> Bundle:
    """Write the best model and all that inference needs beside it."""
    run = job.run
    size_px = job.preprocessing.size_px
    classifier = build_classifier(job.architecture, len(job.category_ids), size_px)
    state = read_best(run)
    head = calibrated.scaling.fold(state["head.weight"], state["head.bias"])
    classifier.load_state_dict({**state, "head.weight": head[0], "head.bias": head[1]})
    info = BundleInfo(
        run_id=run.run_id,
        architecture=job.architecture,
        weights=weights,
        preprocessing=job.preprocessing,
        category_ids=job.category_ids,
        temperature=calibrated.temperature,
        threshold=calibrated.threshold,
        thresholds=calibrated.thresholds.by_category,
        target_precision=accept.precision,
        accept=accept,
        claims=calibrated.claims,
        metrics=calibrated.metrics,
        int8=compiled.int8,
        digests=write_compiled(run.at(files.BUNDLE), run.storage, compiled.files),
    )
    return write_bundle(run.at(files.BUNDLE), run.storage, classifier, taxonomy, info)


def write_report(
    config: TrainRun, bundle: Bundle, calibrated: Calibrated, scored: Scored, run: Run
) -> None:
    """Write the training's report into its run folder."""
    history, _ = read_checkpoint(run) or ([], {})
    report = TrainingReport(
        run_id=run.run_id,
        started_at=run.record.created_at.isoformat(),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        catalog=config.catalog.uri,
        bundle=bundle.uri,
        bundle_digest=bundle.digest,
        taxonomy_version=bundle.taxonomy.version,
        architecture=bundle.info.architecture,
        weights=bundle.info.weights,
        workers=config.workers.most,
        train_items=scored.train_items,
        validation_items=len(scored.item_ids),
        unusable=scored.unusable,
        seconds=sum(epoch.seconds for epoch in history),
        epochs=history,
        evaluation=calibrated.evaluation,
        temperature=calibrated.temperature,
        calibration_error_before=calibrated.error_before,
        calibration_error_after=calibrated.error_after,
        reliability=calibrated.bins,
        threshold=calibrated.threshold,
        coverage=calibrated.coverage,
        claims=calibrated.claims,
    )
    run.write(files.REPORT, render_training(report).encode())


def _epoch_line(epoch: EpochRecord) -> str:
    left = duration((epoch.epochs - epoch.epoch) * epoch.seconds)
    return (
        f"epoch {epoch.epoch}/{epoch.epochs} ({epoch.stage}): loss {epoch.train_loss:.3f}, "
        f"held-out loss {epoch.validation_loss:.3f}, accuracy {epoch.validation_accuracy:.1%}, "
        f"{epoch.images_per_s:,.0f} images/s, {left} left"
    )

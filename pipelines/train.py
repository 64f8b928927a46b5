"""Training, step by step: labelled photos in, a calibrated bundle out."""

import time
from contextlib import closing

from lib.catalog.left_out import LeftOut, left_out_sentence
from lib.errors import InputError
from lib.models.bundle import Bundle, BundleInfo, read_bundle
from lib.models.choice import choose_model
from lib.runs import files
from lib.runs.begin import open_run
from lib.runs.ending import Ending
from lib.runs.heartbeat import Heartbeat
from lib.storage.storage import Storage
from lib.taxonomy.taxonomy import read_taxonomy
from lib.tracking.log import log_training
from pipelines.steps import Say
from pipelines.train_adapt import read_unlabelled
from pipelines.train_aside import Aside
from pipelines.train_config import TrainRun
from pipelines.train_inputs import describe, initial_model, read_labelled
from pipelines.train_models import HEAD, TrainingModels
from pipelines.train_steps import TrainingSteps
from pipelines.train_workers import Workers


def train(
    config: TrainRun,
    say: Say,
    ending: Ending | None = None,
    started: float | None = None,
    aside: Aside | None = None,
) -> Bundle:
    """Train a classifier on labelled photos, and write its bundle and report.

    Args:
        config: the run file.
        say: takes each line for the person who waits.
        ending: learns which run it is, or None.
        started: when the command was, as `time.monotonic` has it; None: now.
        aside: works out what the report needs, and ends with the training; None: this process does.

    Raises:
        InputError: something given cannot be used; no work was done.
        ReshelveError: the training failed.
    """
    started = time.monotonic() if started is None else started
    storage = Storage(config.storage)
    taxonomy = read_taxonomy(config.taxonomy, storage)
    model = choose_model(config.model)
    if config.strategy == HEAD and model.weights == "none":
        raise InputError(
            "strategy: 'head' leaves the network as it is, and this one has no weights; give "
            "model.weights, or take the strategy 'finetune'"
        )
    left_out = LeftOut()
    items, held_out, taught = read_labelled(config, model, taxonomy, storage, left_out)
    unlabelled = read_unlabelled(config, model, items, held_out, storage)
    intent = describe(config, model, taxonomy, items, held_out, unlabelled)
    run = open_run(config.output, config.run_id, intent, storage)
    if ending:
        ending.run = run
    judges = f"{held_out.num_rows:,} held out" if held_out.num_rows else "each held out in turn"
    say(f"{run}: {items.num_rows:,} labelled items to train on, {judges}")
    if taught:
        say(taught.sentence)
    if sentence := left_out_sentence(left_out.counts):
        say(sentence)
    if outcome := run.outcome:
        say(f"this run has ended before; its bundle is {outcome['bundle']}")
        bundle = read_bundle(outcome["bundle"], storage)
        log_training(config.mlflow, run, bundle, say)
        return bundle
    if not run.exists(files.INITIAL_MODEL):
        run.write_table(files.TRAIN_ITEMS, items)
        run.write_table(files.VALIDATION_ITEMS, held_out)
        if unlabelled is not None:
            run.write_table(files.UNLABELLED_ITEMS, unlabelled)
        run.write(files.INITIAL_MODEL, initial_model(config, model, taxonomy, storage))
    with Heartbeat(run), Workers(config.workers) as workers, closing(aside or Aside()) as beside:
        models = TrainingModels(config, model, taxonomy, run, workers, say)
        steps = TrainingSteps(models, beside, started)
        labelled, tried = steps.try_all(items, held_out, unlabelled)
        bundle = steps.end(labelled, tried)
    # before the end, so that a run that is killed here is resumed and logged
    log_training(config.mlflow, run, bundle, say)
    accuracy = bundle.info.metrics["validation_accuracy"]
    judged = bundle.info.metrics["validation_items"]
    sentence = f"accuracy {accuracy:.1%} of {judged:,.0f} items that the model had not seen"
    run.end(
        {
            "state": "trained",
            "sentence": sentence,
            "bundle": bundle.uri,
            "bundle_digest": bundle.digest,
            "items": items.num_rows,
            "accuracy": accuracy,
            "accuracy_items": int(judged),
        }
    )
    say(sentence)
    for promise in promised(bundle.info):
        say(promise)
    say(f"bundle: {bundle.uri}\nreport: {run.at(files.REPORT)}")
    return bundle


def promised(info: BundleInfo) -> list[str]:
    """Say what a bundle promises, of items with a name and without."""
    sentences = [claim.sentence for claim in info.claims_in_use]
    if info.names:
        sentences += [f"without a name: {claim.sentence}" for claim in info.claims]
    return sentences

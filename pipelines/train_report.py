"""The report of a training: what was made, what it rests on, and what to do about it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lib.evaluation.answers import Answers, answers_of
from lib.evaluation.assessment import Share
from lib.evaluation.candidates import Candidate
from lib.evaluation.held_out import Calibrated
from lib.evaluation.label_issues import LabelIssue
from lib.heads.learning_curve import LearningCurve
from lib.images.config import ReadingConfig
from lib.images.thumbnails import read_thumbnails
from lib.models.bundle import Bundle
from lib.reasons import ErrorItem
from lib.reports.advice import advise
from lib.reports.render import render_training
from lib.reports.training_data import NamesFigures, TrainingReport
from lib.runs import files
from lib.runs.run import Run
from lib.training.history import EpochRecord
from pipelines.train_names import TrainedNames
from pipelines.train_pictures import Photos

SHEETS, MISTAKES_EACH = 12, 6  # categories, and photos of each
SUSPICIOUS = 48


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a training has made, as its report shows it.

    Attributes:
        bundle: what was made.
        catalog: where the labelled items are from.
        items: n labelled items that can be read, of `ITEM_SCHEMA`.
        train_items: how many of them were trained on.
        predictions: of items that the model had not seen, of `PREDICTIONS_SCHEMA`; those that were
            never held out are not among them.
        calibrated: what these say of the model.
        strategy: head or finetune.
        why: why that one, as a sentence.
        candidates: what was tried.
        seconds: of the training.
        first_bundle_s: until the first bundle that could be used.
        growth: what more labels would do; None where nothing is known of that.
        issues: labels that are likely wrong, the likeliest first.
        history: the epochs, where anything was fine-tuned.
        unusable: labelled items that could not be read.
        workers: how many have trained.
        dials: the recipe that was chosen, by name.
        adaptation: what an unlabelled catalog did, as a sentence.
        names: what names say; None where too few labelled items have one.
        copies: what copies there are among the photos, as a sentence.
    """

    bundle: Bundle
    catalog: str
    items: pa.Table
    train_items: int
    predictions: pa.Table
    calibrated: Calibrated
    strategy: str
    seconds: float
    why: str | None = None
    candidates: Sequence[Candidate] = ()
    first_bundle_s: float | None = None
    growth: LearningCurve | None = None
    issues: Sequence[LabelIssue] = ()
    history: Sequence[EpochRecord] = ()
    unusable: Sequence[ErrorItem] = ()
    workers: int = 1
    dials: Mapping[str, object] = field(default_factory=dict)
    adaptation: str | None = None
    names: TrainedNames | None = None
    copies: str = ""


def write_report(run: Run, shown: Shown, reading: ReadingConfig) -> None:
    """Write the report into the run's folder.

    Args:
        run: the training's run.
        shown: what it has made.
        reading: how photos are read that the report shows; those that cannot be are left out.
    """
    bundle, calibrated, predictions = shown.bundle, shown.calibrated, shown.predictions
    taxonomy = bundle.taxonomy
    answers = answers_of(predictions, taxonomy, shown.catalog)
    wrong = surest_mistakes(answers)
    rows = [place for places, _ in wrong.values() for place in places]
    rows += [each.row for each in shown.issues[:SUSPICIOUS]]
    uris = list(dict.fromkeys(predictions["uri"].take(pa.array(rows, pa.int64())).to_pylist()))
    pictures = dict(zip(uris, read_thumbnails(uris, reading, run.storage.config), strict=True))
    ids, names = (shown.items[name].to_pylist() for name in ("item_id", "name"))
    photos = Photos(
        predictions=predictions,
        taxonomy=taxonomy,
        names=dict(zip(ids, names, strict=True)),
        pictures=pictures,
        storage=run.storage.config,
    )
    counts = Counter(shown.items["category_id"].to_pylist())
    report = TrainingReport(
        run_id=run.run_id,
        started_at=run.record.created_at.isoformat(),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        catalog=shown.catalog,
        bundle=bundle.uri,
        bundle_digest=bundle.digest,
        taxonomy_version=taxonomy.version,
        architecture=bundle.info.architecture,
        weights=bundle.info.weights,
        workers=shown.workers,
        train_items=shown.train_items,
        validation_items=predictions.num_rows,
        unusable=list(shown.unusable),
        seconds=shown.seconds,
        epochs=list(shown.history),
        evaluation=calibrated.evaluation,
        temperature=calibrated.temperature,
        calibration_error_before=calibrated.error_before,
        calibration_error_after=calibrated.error_after,
        reliability=calibrated.bins,
        threshold=calibrated.threshold,
        coverage=calibrated.coverage,
        claims=calibrated.claims,
        strategy=shown.strategy,
        why=shown.why,
        candidates=list(shown.candidates),
        evaluated=evaluated_on(predictions),
        mistakes=photos.mistakes(answers, wrong),
        suspicious=photos.issues(shown.issues[:SUSPICIOUS]),
        suspicious_items=len(shown.issues),
        very_likely_wrong=sum(each.is_very_likely for each in shown.issues),
        advice=advise(
            calibrated.evaluation,
            [taxonomy.by_id[leaf].name for leaf in taxonomy.leaves],
            [counts[leaf] for leaf in taxonomy.leaves],
            shown.growth,
            bundle.info.promise.precision,
        ),
        growth=shown.growth.overall if shown.growth else None,
        dials={name: str(value) for name, value in shown.dials.items()},
        adaptation=shown.adaptation,
        names=names_figures(shown),
        copies=shown.copies,
        first_bundle_s=shown.first_bundle_s,
    )
    run.write(files.REPORT, render_training(report).encode())


def names_figures(shown: Shown) -> NamesFigures | None:
    """Return what the report shows of names; None where too few items have one."""
    if shown.names is None:
        return None
    judged = shown.names.judged
    return NamesFigures(
        used=judged.used,
        accuracies={
            name: Share(part=right, whole=judged.items, share=estimate)
            for name, (right, estimate) in judged.accuracies.items()
        },
        without_name=shown.bundle.info.claims,
        alone=judged.alone.claims,
    )


def evaluated_on(predictions: pa.Table) -> str:
    """Say how the items of some predictions were kept from the model."""
    items = f"{predictions.num_rows:,}"
    if predictions["fold"].null_count:
        return f"{items} held-out items"
    folds = pc.count_distinct(predictions["fold"]).as_py()
    return f"{items} items, each judged by one of {folds} models that had not seen it (out of fold)"


def surest_mistakes(answers: Answers) -> dict[int, tuple[list[int], int]]:
    """Return rows and number of the surest mistakes, by the place of the true category.

    Those with the most come first.
    """
    by_truth: dict[int, list[int]] = {}
    order = np.argsort(-np.nan_to_num(answers.confidence), kind="stable")
    for place in order[~answers.right[order]].tolist():
        by_truth.setdefault(int(answers.truth[place]), []).append(place)
    most = sorted(by_truth.items(), key=lambda each: -len(each[1]))[:SHEETS]
    return {truth: (places[:MISTAKES_EACH], len(places)) for truth, places in most}

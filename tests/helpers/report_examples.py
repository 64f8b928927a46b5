"""Small reports to render, which a test changes by what it is about."""

import math
from dataclasses import replace

import numpy as np

from lib.drift.comparison import Comparison, Drift
from lib.evaluation.assessment import Share
from lib.evaluation.candidates import Candidate
from lib.evaluation.intervals import Estimate, share
from lib.evaluation.results import CategoryScore, Evaluation, ReliabilityBin
from lib.heads.learning_curve import Curve
from lib.heads.power_law import fit_power_law
from lib.labels.gates import GateResult
from lib.labels.promises import Claim
from lib.reasons import ErrorItem
from lib.reports.advice import Advice
from lib.reports.data import (
    CategoryCount,
    ClassificationReport,
    ContactSheet,
    ErrorReason,
    Moved,
    NightFigures,
    Thumbnail,
)
from lib.reports.migration_data import Flow, MigrationReport
from lib.reports.training_data import TrainingReport
from lib.training.history import EpochRecord

JPEG = b"\xff\xd8\xff\xe0 stands for a picture \xff\xd9"


THUMBNAIL = Thumbnail(
    jpeg=JPEG,
    item_id="item-1",
    name="Blue dress",
    category="Dress",
    confidence=0.91,
    other="or Skirt",
    other_confidence=0.06,
    link="https://shop.example/1.jpg",
)


def category(number: int) -> CategoryCount:
    return CategoryCount(
        category_id=f"c{number}",
        path=f"Clothing > Kind {number}",
        accepted=1_000 - number,
        parent=2,
        review=3,
        mean_confidence=0.9,
    )


def evaluation(categories: int) -> Evaluation:
    """Each category has ten items: eight right, two labelled as the next category."""
    confusion = [[0] * categories for _ in range(categories)]
    for true in range(categories):
        confusion[true][true] += 8
        confusion[true][(true + 1) % categories] += 2
    right = sum(confusion[each][each] for each in range(categories))
    return Evaluation(
        items=10 * categories,
        accuracy=right / (10 * categories) if categories else math.nan,
        categories=[
            CategoryScore(
                category_id=f"c{each}",
                path=f"Clothing > Kind {each}",
                precision=0.8,
                recall=0.8,
                f1=0.8,
                support=10,
            )
            for each in range(categories)
        ],
        confusion=confusion,
    )


RUN = ClassificationReport(
    run_id="night-1",
    started_at="2026-11-23T02:15:00+00:00",
    finished_at="2026-11-23T02:17:05+00:00",
    catalog="s3://shop/images/",
    labels_table="s3://shop/tables/labels",
    published_version=1,
    unpublished_because=None,
    bundle="s3://shop/bundles/one",
    bundle_digest="sha256:0123456789abcdef",
    taxonomy_version="2026.11",
    engine="openvino bf16",
    items=1_240,
    labelled=1_228,
    errors=12,
    decisions={"accept": 1_100, "parent": 28, "review": 100},
    bytes_fetched=43_200_000,
    wall_s=125.2,
    images_per_s=62.4,
    stages={"fetch": 4.2, "classify": 9.8},
    confidence_counts=[0, 1, 2, 25, 1_200],
    threshold=0.62,
    categories=[category(0), category(1)],
    error_reasons=[
        ErrorReason(code="decode_failed", meaning="These bytes are no image.", items=7),
        ErrorReason(code="not_found", meaning="There is no such object.", items=5),
    ],
    error_items=[
        ErrorItem(item_id="item-9", uri="s3://shop/9.jpg", code="not_found", detail="gone by 02:16")
    ],
    sheets=[ContactSheet(category="Clothing > Kind 0", items=50, thumbnails=[THUMBNAIL])],
    least_sure=[replace(THUMBNAIL, item_id="item-2", confidence=0.21, for_review=True)],
    diff={"new": 40, "changed": 3, "removed": 0, "unchanged": 1_197},
    gates=[
        GateResult(
            key="max_error_rate",
            meaning="items that are errors",
            value=0.01,
            limit=0.05,
            passed=True,
        ),
        GateResult(
            key="max_row_loss",
            meaning="loss of rows of the table",
            value=0.3,
            limit=0.2,
            passed=False,
            warns=True,
        ),
    ],
    moves=[replace(THUMBNAIL, item_id="item-4", category="Skirt \N{RIGHTWARDS ARROW} Dress")],
    moved=[Moved(was="Skirt", becomes="Dress", items=3)],
    nights=[
        NightFigures(items=1_200, review=90, errors=0, category_changes=None, drift=None),
        NightFigures(items=0, review=0, errors=0, category_changes=0.0, drift=None),
        NightFigures(items=1_240, review=100, errors=12, category_changes=0.02, drift=0.342),
    ],
    evaluation=evaluation(3),
    drift=Drift(
        items=1_228,
        comparisons=(
            Comparison(
                compared_with="the training's",
                items=1_500,
                photos=0.342,
                confidence=0.0,
                mix=0.12,
                unfamiliar=("item-3",),
            ),
            Comparison(compared_with="the last 3 nights'", items=2_000, confidence=0.0, mix=0.07),
        ),
        value=0.342,
    ),
    unfamiliar=[replace(THUMBNAIL, item_id="item-3", confidence=0.44)],
)


EMPTY_RUN = replace(
    RUN,
    items=0,
    labelled=0,
    errors=0,
    decisions={},
    bytes_fetched=0,
    wall_s=0.0,
    images_per_s=math.nan,
    stages={},
    confidence_counts=[],
    categories=[],
    error_reasons=[],
    error_items=[],
    sheets=[],
    least_sure=[],
    evaluation=None,
    diff={},
    gates=[],
    moves=[],
    moved=[],
    nights=[],
    drift=Drift(items=0),
    unfamiliar=[],
)


def epoch(number: int) -> EpochRecord:
    return EpochRecord(
        epoch=number,
        epochs=4,
        train_loss=2.0 / number,
        validation_loss=2.2 / number,
        validation_accuracy=1 - 0.6 / number,
        images_per_s=48.0,
        seconds=63.0,
        learning_rate=1e-3,
    )


def advice(number: int, more: int | None) -> Advice:
    return Advice(
        category=f"Kind {number}",
        path=f"Clothing > Kind {number}",
        labels=10,
        now=Share(part=8, whole=10, share=share(8, 10)),
        is_precision=False,
        goal=0.9,
        more=more,
        doubled=Estimate(value=0.85, low=0.6, high=0.95),
    )


def growth() -> Curve:
    labels, right, whole = np.array([2.0, 5.0, 7.0, 9.0]), np.array([15.0, 18, 21, 24]), 30.0
    law = fit_power_law(labels, right, np.full(4, whole))
    assert law is not None
    return Curve(labels_now=10, labels=labels, right=right, whole=np.full(4, whole), law=law)


TRAINING = TrainingReport(
    run_id="train-1",
    started_at="2026-11-20T10:15:00+00:00",
    finished_at="2026-11-20T10:24:31+00:00",
    catalog="s3://shop/labelled.parquet",
    bundle="s3://shop/bundles/one",
    bundle_digest="sha256:0123456789abcdef",
    taxonomy_version="2026.11",
    architecture="resnet18",
    weights="imagenet1k-v1",
    workers=2,
    train_items=3_068,
    validation_items=30,
    unusable=[],
    seconds=571.0,
    epochs=[epoch(n) for n in (1, 2, 3, 4)],
    evaluation=evaluation(3),
    temperature=1.42,
    calibration_error_before=0.083,
    calibration_error_after=0.021,
    reliability=[ReliabilityBin(confidence=0.75, accuracy=0.7, items=30)],
    threshold=0.62,
    coverage=0.8,
    claims=(
        Claim(
            group="all categories",
            category_ids=("c0", "c1", "c2"),
            threshold=0.62,
            items=30,
            accepted=24,
            right=24,
            low=0.883,
            high=1.0,
        ),
    ),
    strategy="finetune",
    why="The fine-tuned network is better than the head.",
    candidates=[
        Candidate(
            name="logistic, power 1, C 0.03",
            strategy="head",
            right=21,
            items=30,
            seconds=9.0,
            chosen=False,
            why="worse than the fine-tuned network",
        ),
        Candidate(
            name="whole network",
            strategy="finetune",
            right=24,
            items=30,
            seconds=562.0,
            chosen=True,
            why="better than the head",
        ),
    ],
    evaluated="30 held-out items",
    mistakes=[
        ContactSheet(
            category="Clothing > Kind 0",
            items=2,
            thumbnails=[
                replace(
                    THUMBNAIL, category="Kind 1", other="in truth Kind 0", other_confidence=0.07
                )
            ],
        )
    ],
    suspicious=[
        replace(THUMBNAIL, category="Kind 2", other="labelled Kind 1", other_confidence=0.01)
    ],
    suspicious_items=2,
    advice=[advice(0, 20), advice(1, None), advice(2, 0)],
    growth=growth(),
    dials={"batch_size": "32"},
    adaptation="An unlabelled catalog of 900 photos changed nothing.",
    first_bundle_s=11.0,
)


MIGRATION = MigrationReport(
    run_id="backfill-1",
    started_at="2026-11-23T02:15:00+00:00",
    finished_at="2026-11-23T02:17:05+00:00",
    bundle="s3://shop/bundles/two",
    bundle_digest="sha256:0123456789abcdef",
    threshold=0.62,
    labels_table="s3://shop/tables/labels",
    published_version=2,
    unpublished_because=None,
    engine="embeddings, fp32",
    items=1_013,
    labelled=1_010,
    errors=3,
    decisions={"accept": 960, "review": 50},
    confidence_counts=[0, 1, 2, 25, 982],
    categories=[category(0), category(1)],
    evaluation=evaluation(3),
    gates=RUN.gates,
    base_version=1,
    old_version="2026.10",
    new_version="2026.11",
    old_bundle="s3://shop/bundles/one",
    routes="1,010 rows to settle: 900 by rule, 110 by the model on their embeddings",
    seconds=4.2,
    flows=[
        Flow(
            was="Clothing > Shirts",
            becomes="Clothing > Shirts",
            kind="unchanged",
            why="a rule: kept as it was",
            accepted=900,
            parent=0,
            review=0,
            by_rule=True,
            confidence=0.9,
        ),
        Flow(
            was="Clothing > Outerwear",
            becomes="Clothing > Coats",
            kind="moved",
            why="the model: split into Coats, Jackets",
            accepted=60,
            parent=0,
            review=50,
            by_rule=False,
            confidence=0.7,
        ),
    ],
    moved=[ContactSheet(category="Outerwear, now Coats", items=110, thumbnails=[THUMBNAIL])],
    unexpected=[replace(THUMBNAIL, item_id="item-5")],
    review=[replace(THUMBNAIL, item_id="item-6", for_review=True)],
    evaluated_on="held-out labelled items, by the head alone",
)

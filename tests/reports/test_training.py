from dataclasses import replace
from itertools import pairwise

import pytest

from lib.evaluation.assessment import Share
from lib.evaluation.intervals import share
from lib.evaluation.results import Evaluation
from lib.labels.decisions import NEVER
from lib.labels.promises import Claim
from lib.reports.render import render_training
from lib.reports.training_data import NamesFigures, TrainingReport
from lib.reports.training_verdict import training_verdict
from tests.helpers.report_examples import TRAINING, advice
from tests.helpers.report_reading import Page


def claim(right: int, accepted: int, items: int = 100) -> Claim:
    return Claim(
        group="all categories",
        category_ids=("c0", "c1"),
        threshold=0.62 if accepted else NEVER,
        items=items,
        accepted=accepted,
        right=right,
        low=0.9,
        high=1.0,
        needed=None if accepted else 80,
    )


def training(right: int, accepted: int = 80, items: int = 100, **values: object) -> TrainingReport:
    """A training on two categories alike, right on so many of the held-out items."""
    half = items // 2
    first = min(right, half)
    second = right - first
    evaluation = replace(
        TRAINING.evaluation,
        items=items,
        accuracy=right / items,
        categories=TRAINING.evaluation.categories[:2],
        confusion=[[first, half - first], [half - second, second]],
    )
    report = replace(
        TRAINING,
        evaluation=evaluation,
        claims=(claim(accepted, accepted, items),),
        coverage=accepted / items,
        suspicious=[],
        suspicious_items=0,
    )
    return replace(report, **values)  # type: ignore[arg-type]  # whatever a test is about


@pytest.mark.parametrize(
    ("report", "tone", "word"),
    [
        (training(95), "good", "Ready"),
        (training(95, accepted=30), "warn", "Few labels accepted"),
        (training(95, accepted=0), "warn", "Nothing can be promised"),
        (training(65), "warn", "Often wrong"),
        (training(51), "bad", "No better than guessing"),  # of two categories
        (training(12, accepted=0, items=12), "warn", "Nothing can be promised"),
        (training(95, suspicious_items=9, very_likely_wrong=2), "good", "Ready"),
        (training(95, suspicious_items=9, very_likely_wrong=3), "warn", "Labels look wrong"),
    ],
)
def test_the_verdict_is_green_only_where_the_promise_is_kept_and_covers_enough(
    report: TrainingReport, tone: str, word: str
) -> None:
    verdict = training_verdict(report)

    assert (verdict.tone, verdict.word) == (tone, word)


def test_half_right_of_ten_categories_is_better_than_guessing_and_still_amber() -> None:
    confusion = [[0] * 10 for _ in range(10)]
    for true in range(10):
        confusion[true][true] += 51
        confusion[true][(true + 1) % 10] += 49
    evaluation = replace(TRAINING.evaluation, items=1_000, accuracy=0.51, confusion=confusion)

    verdict = training_verdict(training(95, evaluation=evaluation))

    assert (verdict.tone, verdict.word) == ("warn", "Often wrong")


def test_the_verdict_gives_each_figure_with_its_count_and_interval() -> None:
    verdict = training_verdict(training(95))

    assert verdict.headline == (
        "Right on 95 of 100 items that it had not seen: 95.0\u00a0% "
        "(95 % interval 88.7 to 98.4\u00a0%)."
    )
    assert verdict.detail.startswith(
        "It accepts 80.0\u00a0% of them (80 of 100) without a person's review; right are 80 of 80 "
        "(95 % interval 95.5 to 100.0\u00a0%)."
    )


def test_where_nothing_is_promised_it_says_what_is_lacking_and_what_to_label() -> None:
    detail = training_verdict(training(95, accepted=0)).detail

    assert "100 held-out items are too few, about 80 more would do" in detail
    assert detail.endswith(
        "Label more: 'Kind 0' has 10 labels and is recognised in 80.0\u00a0% (8 of 10) of its "
        "photos; about 20 more would bring it to 90\u00a0%."
    )


def test_it_asks_for_no_labels_that_would_not_help() -> None:
    report = training(65, advice=[advice(0, None), advice(1, 0)])

    assert "Label more" not in training_verdict(report).detail


def test_a_training_without_held_out_items_claims_no_accuracy() -> None:
    nothing = Evaluation(items=0, accuracy=0.0, categories=[], confusion=[])
    page = Page(render_training(replace(TRAINING, evaluation=nothing, advice=[], growth=None)))

    assert "nothing is known of this model's accuracy" in page.text
    assert "Right on" not in page.text


def test_the_page_shows_what_was_tried_what_is_wrong_and_what_to_label() -> None:
    text = Page(render_training(TRAINING)).text

    for said in (
        "All figures are of items that the model had not seen: 30 held-out items.",
        "The fine-tuned network is better than the head.",
        "logistic, power 1, C 0.03 head 70.0 % 21 of 30 50.6 to 85.3 %",
        "24 of 24 (88 % to 100 %)",
        "About 20 more would bring it to 90 %.",
        "Labels alone would not bring it to 90 %.",
        "Kind 1 confidence 91.0 % in truth Kind 0 7.0 %",
        "Kind 2 confidence 91.0 % labelled Kind 1 1.0 %",
        "Showing the likeliest 1 of 2.",
        "An unlabelled catalog of 900 photos changed nothing.",
        "batch_size 32",
        "first bundle after 11 s",
    ):
        assert said in text


def test_the_page_leaves_out_what_there_is_nothing_of() -> None:
    bare = replace(
        TRAINING,
        epochs=[],
        candidates=[],
        advice=[],
        growth=None,
        mistakes=[],
        suspicious=[],
        suspicious_items=0,
        dials={},
    )

    page = Page(render_training(bare))

    assert page.unbalanced == []
    assert not {"candidates", "labels", "curves"} & {*page.values("id")}
    assert "No label looks wrong." in page.text


def test_headings_never_skip_a_level() -> None:
    levels = [
        int(name[1]) for name, _ in Page(render_training(TRAINING)).elements if name in "h1h2h3h4"
    ]

    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))


def names(*, used: bool) -> NamesFigures:
    accuracies = {
        name: Share(part=right, whole=90, share=share(right, 90))
        for name, right in (("image alone", 60), ("name alone", 70), ("both", 80))
    }
    return NamesFigures(
        used=used, accuracies=accuracies, without_name=(claim(30, 31),), alone=(claim(0, 0),)
    )


@pytest.mark.parametrize("used", [True, False])
def test_images_names_and_both_are_shown_with_what_each_promises(*, used: bool) -> None:
    page = Page(render_training(training(80, names=names(used=used))))

    assert page.unbalanced == []
    for said in ("image alone", "name alone", "both", "60 of 90", "70 of 90", "80 of 90"):
        assert said in page.text
    assert ("Labels follow from both together" in page.text) is used
    assert ("labels follow from images alone" in page.text) is not used
    for kind in ("items with a name", "items without a name", "by name alone"):
        assert (kind in page.text) is used


def test_a_training_without_names_says_nothing_of_them() -> None:
    assert "Images and names" not in Page(render_training(training(80))).text

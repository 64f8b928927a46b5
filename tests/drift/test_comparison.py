import pyarrow as pa

from lib.drift.comparison import measure_drift
from lib.drift.sample import Sample
from tests.helpers.samples import sample


def test_a_night_like_its_training_and_the_nights_before_has_no_drift() -> None:
    drift = measure_drift(sample(1, 400), sample(2, 600), sample(3, 800), nights=3)

    assert drift.value == 0
    assert drift.sentence == (
        "no drift: a sample of 400 items is like the training's and the last 3 nights'"
    )
    assert drift.unfamiliar_sentences == []


def test_other_photos_are_named_with_what_they_differ_from() -> None:
    drift = measure_drift(sample(1, 400, shift=20), sample(2, 600), sample(3, 800, shift=20), 1)

    assert drift.value is not None
    assert drift.value > 0.8
    assert drift.sentence == f"drift {drift.value:.1%}: the photos differ from the training's"


def test_another_mix_than_the_night_before_is_named() -> None:
    night = sample(1, 400, shares=(0.1, 0.1, 0.8))
    drift = measure_drift(night, None, sample(3, 800), nights=1)

    assert drift.sentence == (
        f"drift {drift.value:.1%}: the mix of categories differs from the last night's; "
        "the bundle has no sample of its training"
    )


def test_a_tenth_of_photos_like_none_before_is_a_drift_of_nearly_a_tenth() -> None:
    night, strange = sample(1, 400), sample(4, 400, shift=60)
    tenth = pa.concat_tables([strange.table[:40], night.table[40:]])
    drift = measure_drift(Sample(tenth), sample(2, 600), None, nights=0)

    assert drift.value is not None
    assert 0.08 < drift.value < 0.12
    assert set(drift.unfamiliar) >= set(tenth["item_id"].to_pylist()[:40])


def test_without_embeddings_confidence_and_mix_are_compared() -> None:
    night = sample(1, 400, sureness=1, embeddings=False)
    drift = measure_drift(night, sample(2, 600), None, nights=0)

    (only,) = drift.comparisons
    assert only.photos is None
    assert only.unfamiliar is None
    assert drift.sentence == f"drift {drift.value:.1%}: the confidences differ from the training's"


def test_after_a_new_head_the_training_is_compared_by_its_photos_alone() -> None:
    drift = measure_drift(sample(1, 400), sample(2, 600).without_predictions, None, nights=0)

    (only,) = drift.comparisons
    assert list(only.parts) == ["photos"]


def test_a_night_of_few_labels_is_not_judged() -> None:
    drift = measure_drift(sample(1, 199, shift=20), sample(2, 600), None, nights=0)

    assert drift.value is None
    assert drift.sentence == "drift was not judged: 199 labels are too few, at least 200 are needed"


def test_a_first_night_of_an_old_bundle_is_not_judged() -> None:
    drift = measure_drift(sample(1, 300), None, None, nights=0)

    assert drift.value is None
    assert drift.sentence == (
        "drift was not judged: the bundle has no sample of its training, and no night before was "
        "published with it"
    )


def test_photos_like_nothing_in_the_training_are_counted() -> None:
    strange = sample(1, 400, shift=60)
    drift = measure_drift(strange, sample(2, 600), None, nights=0)

    assert drift.unfamiliar_sentences == [
        "400 of 400 sampled photos look like nothing that the model was trained on"
    ]

import pytest

from lib.labels.decisions import Decision
from lib.labels.promises import Claim
from lib.models.bundle import BundleInfo
from lib.tracking.record import final_figures, flatten
from tests.helpers.catalogs import PREPROCESSING


def claim(accepted: int, right: int, decision: Decision = Decision.ACCEPT) -> Claim:
    return Claim(
        group="all", category_ids=("a",), threshold=0.5, items=50, accepted=accepted, right=right,
        low=0.0, high=1.0, decision=decision,
    )  # fmt: skip


def describe(claims: tuple[Claim, ...], **metrics: float) -> BundleInfo:
    return BundleInfo(
        run_id="one", architecture="resnet18", weights="none", preprocessing=PREPROCESSING,
        category_ids=("a",), temperature=1.0, threshold=0.5, target_precision=0.95,
        claims=claims, metrics={"validation_items": 100.0, "calibration_error": 0.1, **metrics},
    )  # fmt: skip


def test_nested_keys_become_dotted_ones_and_what_is_not_set_is_left_out() -> None:
    given = {"a": {"b": 1.5, "c": None, "d": {}}, "e": [".jpg", "é"], "f": True, "g": "text"}

    assert flatten(given, "x.") == {
        "x.a.b": "1.5",
        "x.e": '[".jpg", "é"]',
        "x.f": "true",
        "x.g": "text",
    }


def test_a_password_in_an_address_is_no_parameter() -> None:
    given = {"a": "https://anna:secret@shop/photos", "b": ["s3://bucket/a@b"]}

    assert flatten(given) == {"a": "https://shop/photos", "b": '["s3://bucket/a@b"]'}


def test_shares_of_items_have_the_ends_of_their_exact_intervals() -> None:
    claims = (claim(20, 20), claim(10, 9), claim(40, 1, Decision.PARENT))
    info = describe(claims, validation_accuracy=0.9, accepted_share=0.3, accepted_precision=29 / 30)

    found = final_figures(info)

    # Clopper and Pearson's, as any table of theirs has them
    assert found["validation_accuracy_low"] == pytest.approx(0.8238, abs=1e-4)
    assert found["validation_accuracy_high"] == pytest.approx(0.9510, abs=1e-4)
    assert found["accepted_share_low"] < 0.3 < found["accepted_share_high"]
    assert found["accepted_precision_low"] == pytest.approx(0.8278, abs=1e-4)
    assert "calibration_error_low" not in found


def test_where_nothing_is_accepted_there_is_no_precision_and_no_interval_of_it() -> None:
    found = final_figures(describe((), validation_accuracy=0.5, accepted_share=0.0))

    assert "accepted_precision_low" not in found
    assert found["accepted_share_low"] == 0

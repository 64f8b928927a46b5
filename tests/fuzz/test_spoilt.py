from pathlib import Path

import pytest

from tests.fuzz.seeds import SEEDS, spoilt
from tests.fuzz.targets import TARGETS, survive

CORPUS = Path(__file__).parent / "corpus"
COUNTS = {"bundle": 60}  # a bundle takes thirty times as long as the others


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_sound_is_read(target: str) -> None:
    for data in SEEDS[target]():
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_spoilt_is_read_or_refused_in_words(target: str) -> None:
    for data in spoilt(SEEDS[target](), COUNTS.get(target, 500), seed=1):
        survive(target, data)


@pytest.mark.parametrize("target", TARGETS)
def test_what_fuzzing_has_found_is_read_or_refused_in_words(target: str) -> None:
    files = sorted((CORPUS / target).iterdir())
    assert files
    for path in files:
        survive(target, path.read_bytes())

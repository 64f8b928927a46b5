import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lib.inference.attempts import AGAIN
from lib.inference.config import Where
from lib.models.options import UNITS_AT_ONCE
from tests.helpers import catalogs, crash
from tests.helpers.crashing_run import (
    TIMEOUT_S,
    UNIT_SIZE,
    CrashingRun,
    crashing_ray,
    errors_of,
    labels_of,
)

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

PICTURES = catalogs.pictures(40)
ERRORS = {
    crash.SEGFAULT: ("decoder_crash", "the process that decodes it dies: SIGSEGV"),
    crash.HANG: ("timeout", f"decoding takes longer than {TIMEOUT_S} s"),
}


@pytest.fixture(scope="module", autouse=True)
def ray_with_crashes() -> Iterator[None]:
    with crashing_ray():
        yield


@pytest.mark.parametrize("where", ["here", "ray"])
@pytest.mark.parametrize(
    "culprits",
    [
        pytest.param({"003.jpg": crash.SEGFAULT, "021.jpg": crash.HANG}, id="two units"),
        pytest.param(
            {"015.jpg": crash.HANG, "012.jpg": crash.SEGFAULT},
            id="one unit",
            marks=pytest.mark.faults,
        ),
    ],
)
def test_images_that_kill_or_hang_their_actor_are_error_rows_and_cost_nothing_else(
    culprits: Mapping[str, bytes], where: Where, tmp_path: Path
) -> None:
    files = {item_id: data + culprits.get(item_id, b"") for item_id, data in PICTURES.items()}
    run = CrashingRun(tmp_path, files, where)

    rows = run.classify()

    assert rows["item_id"].to_pylist() == sorted(PICTURES)
    assert errors_of(rows) == {item_id: ERRORS[mark] for item_id, mark in culprits.items()}
    assert labels_of(rows) == run.undisturbed(PICTURES, but=culprits)
    # with care none is begun a third time; what ran beside a culprit's unit is begun again with it
    begun_again = {unit for unit, times in run.attempts.items() if times > 1}
    assert {int(item_id[:3]) // UNIT_SIZE for item_id in culprits} <= begun_again
    assert len(begun_again) <= UNITS_AT_ONCE * len(culprits)
    assert set(run.attempts.values()) == {1, 2}


@pytest.mark.faults
@pytest.mark.parametrize("where", ["here", "ray"])
def test_a_unit_that_kills_its_actor_even_with_care_ends_the_command_and_the_next_one_tries_again(
    where: Where, tmp_path: Path
) -> None:
    ill = tmp_path / "ill"
    ill.touch()
    files = dict(list(PICTURES.items())[: 2 * UNIT_SIZE])
    lethal = files | {"003.jpg": files["003.jpg"] + crash.LETHAL + os.fsencode(ill)}
    run = CrashingRun(tmp_path, lethal, where)

    ended = run.start()

    assert ended.exit_code == 1
    assert ended.stderr.startswith("error: unit 0 has ended its process each time, ")
    assert ended.stderr.count("\n") == 1
    assert run.attempts[0] == 1 + AGAIN

    ill.unlink()
    rows = run.classify()

    assert labels_of(rows) == run.undisturbed(files, but=[])

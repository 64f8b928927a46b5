from pathlib import Path

import pytest

from lib.attempts import AGAIN, is_first_attempt
from lib.errors import InputError, ReshelveError
from lib.storage import Storage
from lib.storage_config import StorageConfig
from tests import catalogs
from tests.conftest import Bucket


def test_only_the_first_attempt_at_a_unit_is_the_first(tmp_path: Path) -> None:
    runs = [str(tmp_path / name) for name in ("one", "two")]

    firsts = [
        is_first_attempt(run, unit, command, catalogs.LOCAL)
        for run in runs
        for unit, command in ((0, "a"), (12, "a"), (0, "a"), (0, "b"))
    ]

    assert firsts == [True, True, False, False] * 2
    assert (tmp_path / "one/attempts/unit-0000012").exists()


@pytest.mark.parametrize("begun_before", [False, True])
def test_a_unit_that_one_command_begins_too_often_ends_it_with_a_sentence(
    s3: Bucket, *, begun_before: bool
) -> None:
    storage = Storage(StorageConfig())
    if begun_before:
        is_first_attempt(s3.uri, 7, "earlier", storage)

    firsts = [is_first_attempt(s3.uri, 7, "a", storage) for _ in range(AGAIN + (not begun_before))]
    with pytest.raises(ReshelveError, match=r"^unit 7 .* 4 times .* engine\.batch_size") as caught:
        is_first_attempt(s3.uri, 7, "a", storage)

    assert sum(firsts) == (not begun_before)
    assert caught.value.exit_code == 1
    assert not isinstance(caught.value, InputError)
    assert is_first_attempt(s3.uri, 8, "a", storage)


def test_commands_that_are_killed_again_and_again_never_wear_a_unit_out(tmp_path: Path) -> None:
    for command in range(50):
        first = is_first_attempt(str(tmp_path), 0, f"command-{command}", catalogs.LOCAL)
        assert first == (command == 0)

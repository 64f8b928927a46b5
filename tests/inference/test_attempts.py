import threading
from pathlib import Path

import pytest

from lib.errors import InputError, ReshelveError
from lib.inference.attempts import AGAIN, Turns, begin, begin_again
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from tests.conftest import Bucket
from tests.helpers import catalogs


def test_only_the_first_attempt_at_a_unit_is_the_first(tmp_path: Path) -> None:
    runs = [catalogs.run_at(tmp_path / name) for name in ("one", "two")]

    firsts = [begin(run, unit) for run in runs for unit in (0, 12, 0)]

    assert firsts == [True, True, False] * 2
    assert (tmp_path / "one/attempts/unit-0000012").exists()


def test_a_unit_that_one_command_begins_too_often_ends_it_with_a_sentence(s3: Bucket) -> None:
    run = catalogs.run_at(s3.uri, Storage(StorageConfig()))
    begin_again(run, 7, "earlier")

    for _ in range(AGAIN):
        begin_again(run, 7, "a")
    with pytest.raises(ReshelveError, match=r"^unit 7 .* 4 times .* engine\.batch_size") as caught:
        begin_again(run, 7, "a")

    assert caught.value.exit_code == 1
    assert not isinstance(caught.value, InputError)
    begin_again(run, 8, "a")


def test_commands_that_are_killed_again_and_again_never_wear_a_unit_out(tmp_path: Path) -> None:
    for command in range(50):
        begin_again(catalogs.run_at(tmp_path), 0, f"command-{command}")


def test_a_unit_runs_alone_once_the_others_have_left_and_none_joins_it() -> None:
    turns = Turns(2)
    inside: set[str] = set()
    seen: list[set[str]] = []
    come, go = threading.Event(), threading.Event()

    def run(name: str, *, alone: bool) -> None:
        with turns.alone() if alone else turns.side_by_side():
            inside.add(name)
            seen.append({*inside})
            if name == "first":
                come.set()
                go.wait(10)
            inside.remove(name)

    threads = [threading.Thread(target=run, args=["first"], kwargs={"alone": False})]
    threads[0].start()
    assert come.wait(10)
    for name in ("one", "two", "three"):
        threads.append(threading.Thread(target=run, args=[name], kwargs={"alone": True}))
        threads[-1].start()
    go.set()
    for thread in threads:
        thread.join(10)

    assert sorted(map(len, seen)) == [1, 1, 1, 1]

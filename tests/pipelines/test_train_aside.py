"""What a training's report needs, worked out beside the training."""

import os
from collections.abc import Callable
from contextlib import closing
from functools import partial

import pytest

from lib.errors import InputError
from pipelines.train_aside import Aside, start_aside

pytestmark = [pytest.mark.processes, pytest.mark.timeout(120)]


def refuse(what: str) -> None:
    raise InputError(f"{what} cannot be used")


def test_calls_are_made_one_after_the_other_in_another_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipelines.train_aside.cores", lambda: 2)

    with closing(start_aside()) as aside:
        first, second = aside.call(os.getpid), aside.call(partial(divmod, 7, 2))

        assert first.result() != os.getpid()
        assert second.result() == (3, 1)


def test_calls_are_made_here_where_no_core_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.train_aside.cores", lambda: 1)

    with closing(start_aside()) as aside:
        assert aside.call(os.getpid).result() == os.getpid()


@pytest.mark.parametrize("make", [Aside, start_aside])
def test_what_a_call_raises_is_said_as_it_was_raised(make: Callable[[], Aside]) -> None:
    with closing(make()) as aside, pytest.raises(InputError, match=r"^hats cannot be used$"):
        aside.call(partial(refuse, "hats")).result()

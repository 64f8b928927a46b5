import pickle

import pytest

from lib.errors import GateError, InputError, ReshelveError, StoreError


@pytest.mark.parametrize("kind", [ReshelveError, InputError, StoreError, GateError])
def test_what_an_error_quotes_breaks_its_sentence_by_no_empty_line(
    kind: type[ReshelveError],
) -> None:
    error = kind("run.yaml: unknown key 'a\n\n \nb'\nrun.yaml: 'output' is missing")
    assert str(error) == "run.yaml: unknown key 'a\nb'\nrun.yaml: 'output' is missing"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301  # our own

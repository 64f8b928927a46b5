import pytest
from pydantic import ValidationError

from lib.inference.config import EngineConfig
from lib.inference.where import decide_here


@pytest.mark.parametrize(
    ("engine", "units", "cluster", "gpus", "here"),
    [
        ({}, 1, False, 0, True),
        ({}, 100_000, False, 0, True),
        ({}, 1, True, 0, False),
        ({}, 1, False, 1, True),
        ({}, 2, False, 1, False),
        ({"decode": "pool"}, 1, False, 0, False),
        ({"where": "here"}, 2, True, 8, True),
        ({"where": "ray"}, 1, False, 0, False),
    ],
    ids=[
        "one machine's cores",
        "however many units",
        "a cluster is named",
        "one unit beside a GPU",
        "more beside a GPU, for which Ray's helpers decode",
        "helpers are asked for",
        "here, whatever there is",
        "ray, however little there is to do",
    ],
)
def test_units_run_on_ray_only_where_ray_gives_something(
    engine: dict[str, str],
    units: int,
    cluster: bool,  # noqa: FBT001  # a parameter of the test
    gpus: int,
    here: bool,  # noqa: FBT001  # as above
) -> None:
    config = EngineConfig.model_validate(engine)

    assert decide_here(config, units, cluster=cluster, gpus=gpus) == here


def test_helpers_that_decode_are_not_asked_for_without_ray() -> None:
    with pytest.raises(ValidationError, match="decode: pool, whose processes run on Ray"):
        EngineConfig(where="here", decode="pool")

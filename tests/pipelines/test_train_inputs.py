import pytest

from lib.config.config import load_config
from lib.errors import InputError
from pipelines.train_inputs import TrainRun

RUN_FILE = """\
output: runs
taxonomy: taxonomy.yaml
catalog: {uri: manifest.csv}
training: {%s: 1}
"""


@pytest.mark.parametrize(
    ("key", "now"),
    [
        ("head_epochs", "strategy"),
        ("backbone_factor", "training.layer_decay"),
        ("target_precision", "accept.precision"),
    ],
)
def test_a_key_of_an_older_version_is_refused_with_what_took_its_place(key: str, now: str) -> None:
    with pytest.raises(InputError, match=f"unknown key 'training.{key}'; it is '{now}' now"):
        load_config(TrainRun, RUN_FILE % key, "train.yaml")

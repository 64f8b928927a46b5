import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lib.config.config import load_config
from lib.errors import InputError
from pipelines.train_config import TrainRun
from tests.helpers import catalogs
from tests.helpers.jobs import ROOT

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


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"taxonomy": "none.yaml"}, r"taxonomy: .*none\.yaml is not there"),
        ({"model": {"weights": "none.pth"}}, r"model\.weights: .*none\.pth is not there"),
    ],
)
def test_files_that_are_missing_are_refused_before_anything_slow_is_loaded(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    (tmp_path / "taxonomy.yaml").write_text(catalogs.TAXONOMY_YAML)
    given = {"taxonomy": "taxonomy.yaml", "catalog": {"uri": "photos"}} | changes
    run_file = tmp_path / "train.yaml"
    run_file.write_text(yaml.safe_dump(given))
    program = (
        "import sys; from jobs.train import main; from pathlib import Path\n"
        "try: main(Path('train.yaml'))\n"
        "finally: print({'torch', 'ray'} & set(sys.modules))"
    )

    said = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True,
        check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip

    assert re.search(sentence, said.stderr)
    assert said.stdout.strip() == "set()"

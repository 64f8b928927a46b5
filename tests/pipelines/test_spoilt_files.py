from pathlib import Path

import pytest
import yaml
from deltalake import DeltaTable

from lib.reasons import Reason
from tests.fuzz.seeds import pictures, spoilt
from tests.helpers import catalogs
from tests.helpers.jobs import run_job

pytestmark = [pytest.mark.processes, pytest.mark.timeout(480)]

FILES = 2000
# no spoilt file may end as one of these: a worker is lost to it, or for a time
COSTLY = {Reason.DECODER_CRASH, Reason.TIMEOUT, Reason.FETCH_FAILED}


def test_two_thousand_spoilt_files_are_as_many_rows_and_cost_no_worker(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number, data in enumerate(spoilt(pictures(), FILES, seed=1)):
        (folder / f"{number:04d}.jpg").write_bytes(data)
    bundle = catalogs.make_bundle(str(tmp_path / "bundle"), architecture="squeezenet1_1")
    run_file = tmp_path / "night.yaml"
    described = {
        "output": str(tmp_path / "runs"),
        "run_id": "night",
        "catalog": {"uri": str(folder)},
        "bundle": bundle.uri,
        "labels_table": str(tmp_path / "labels"),
        "engine": {"device": "cpu", "precision": "fp32", "actors": 1},
        "gates": {"max_error_rate": 1},
    }
    run_file.write_text(yaml.safe_dump(described))

    result = run_job("classify", str(run_file))

    assert result.exit_code == 0, result.output
    rows = DeltaTable(tmp_path / "labels").to_pandas()
    assert sorted(rows["item_id"]) == [f"{number:04d}.jpg" for number in range(FILES)]
    labelled = rows["category_id"].notna()
    assert (labelled != rows["error"].notna()).all()
    assert labelled.sum() > FILES / 4
    assert not COSTLY & set(rows["error"].dropna())
    # a unit that has lost its worker is begun again, and that is on record
    begun = [path.name for path in (tmp_path / "runs/night/attempts").iterdir()]
    units = {name.split("-")[1] for name in begun}
    assert len(begun) == len(units) > 1

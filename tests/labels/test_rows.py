import subprocess
import sys
from pathlib import Path

import pytest

from lib.batches import to_parquet
from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from tests.helpers import catalogs

READ = """
import sys
from lib.labels.delta_table import LabelsTable
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage

print(LabelsTable(sys.argv[1], Storage(StorageConfig())).read().num_rows)
"""


@pytest.mark.processes
def test_a_process_that_reads_a_table_ends_well_each_time(tmp_path: Path) -> None:
    """Threads of a scanner that outlive the interpreter abort it."""
    table = LabelsTable(str(tmp_path / "labels"), catalogs.LOCAL)
    for run_id in ("one", "two", "three"):  # a file each
        part = str(tmp_path / f"{run_id}.parquet")
        ids = [f"{run_id}-{n:05d}" for n in range(2_000)]
        catalogs.LOCAL.write(part, to_parquet(catalogs.label_rows(ids, run_id)))
        table.publish(Change(run_id=run_id, base=table.version(), parts=[part], removed=None))
    command = [sys.executable, "-c", READ, str(tmp_path / "labels")]

    ends = [
        subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own
        for _ in range(20)
    ]

    assert {(each.returncode, each.stdout, each.stderr) for each in ends} == {(0, "6000\n", "")}

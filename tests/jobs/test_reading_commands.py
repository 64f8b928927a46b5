"""Commands that read a labels table end well each time: a reader's threads could abort them."""

from pathlib import Path

import pytest
import yaml

from lib.batches import to_parquet
from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from tests.helpers import catalogs
from tests.helpers.jobs import finish, start

# 20 processes of each command take minutes
pytestmark = [pytest.mark.processes, pytest.mark.faults, pytest.mark.timeout(600)]

TIMES = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog, a bundle, and a table of three runs, each of which has left a file."""
    folder = tmp_path_factory.mktemp("shop")
    pictures = catalogs.pictures(30)
    catalogs.write_catalog(str(folder / "images"), pictures)
    labelled = "".join(f"{name},images/{name},shirt\n" for name in pictures)
    manifest = folder / "items.csv"  # without etags: those of the table are of no file
    manifest.write_text(f"item_id,uri,category_id\n{labelled}")
    bundle = catalogs.make_bundle(str(folder / "bundle"), architecture="squeezenet1_1")
    (folder / "taxonomy.yaml").write_text(catalogs.TAXONOMY_YAML)
    table = LabelsTable(str(folder / "labels"), catalogs.LOCAL)
    for number in range(3):
        part = str(folder / f"{number}.parquet")
        ids = [*pictures][10 * number : 10 * (number + 1)]
        catalogs.LOCAL.write(part, to_parquet(catalogs.label_rows(ids, f"run-{number}")))
        change = Change(run_id=f"run-{number}", base=table.version(), parts=[part], removed=None)
        table.publish(change)
    shared = {
        "output": str(folder / "runs"),
        "catalog": {"uri": str(manifest)},
        "labels_table": str(folder / "labels"),
    }
    own = {
        "classify": {"bundle": bundle.uri},
        "evaluate": {"taxonomy": str(folder / "taxonomy.yaml")},
    }
    for job, keys in own.items():
        (folder / f"{job}.yaml").write_text(yaml.safe_dump(shared | keys))
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ["jobs.history", "labels"],
        ["jobs.evaluate", "evaluate.yaml"],
        ["jobs.classify", "classify.yaml", "--dry-run"],
    ],
    ids=lambda command: command[0],
)
def test_a_command_that_reads_a_table_ends_well_twenty_times_in_a_row(
    folder: Path, command: list[str]
) -> None:
    module, name, *options = command

    ends = [finish(start(module, str(folder / name), *options)) for _ in range(TIMES)]

    assert {(code, stderr) for code, _, stderr in ends} == {(0, "")}

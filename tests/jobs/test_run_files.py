from pathlib import Path

import pytest

from lib.config.config import Config, load_run_file
from lib.desk.config import DeskConfig
from lib.taxonomy.migration import migrate
from lib.taxonomy.taxonomy import parse_taxonomy
from pipelines.backfill_inputs import BackfillRun
from pipelines.classify import ClassifyRun
from pipelines.discover_inputs import DiscoverRun
from pipelines.embed import EmbedRun
from pipelines.evaluate_inputs import EvaluateRun
from pipelines.match_inputs import MatchRun
from pipelines.train_config import TrainRun

ROOT = Path(__file__).resolve().parents[2]
RUN_FILES = sorted((ROOT / "jobs" / "runs").glob("*.yaml"))


# by the last word of the file's name
MODELS: dict[str, type[Config]] = {
    "train": TrainRun,
    "classify": ClassifyRun,
    "backfill": BackfillRun,
    "embed": EmbedRun,
    "evaluate": EvaluateRun,
    "discover": DiscoverRun,
    "match": MatchRun,
    "desk": DeskConfig,
}


@pytest.mark.parametrize("path", RUN_FILES, ids=lambda path: path.stem)
def test_every_run_file_that_is_shipped_is_valid(path: Path) -> None:
    kind = path.stem.rpartition("-")[2]
    if kind in MODELS:
        load_run_file(MODELS[kind], path)
    else:
        parse_taxonomy(path.read_text(), path.name)


@pytest.mark.parametrize("name", ["merged", "split", "super"])
def test_the_taxonomies_of_the_example_follow_the_flat_one(name: str) -> None:
    folder = ROOT / "docs" / "clothing"
    flat, new = (folder / "flat.yaml", folder / f"{name}.yaml")

    migration = migrate([parse_taxonomy(path.read_text(), path.name) for path in (flat, new)])

    assert set(migration.for_model) == ({"outwear"} if name == "split" else set())


@pytest.mark.parametrize("kind", ["demo", "single", "cluster"])
@pytest.mark.parametrize("job", ["train", "classify"])
def test_each_job_has_a_run_file_of_each_kind(kind: str, job: str) -> None:
    assert ROOT / "jobs" / "runs" / f"{kind}-{job}.yaml" in RUN_FILES

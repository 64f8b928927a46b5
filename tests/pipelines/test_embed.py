import json
from pathlib import Path

import pytest
import yaml
from pyarrow import parquet

from tests.cluster.test_prometheus import scraped
from tests.helpers import catalogs
from tests.helpers.jobs import run_job, told_by, wait_until
from tests.helpers.local_ray import local_ray

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]

PICTURES = catalogs.pictures(12)
FILES = {**PICTURES, **catalogs.BROKEN_FILES}


def test_each_image_that_has_no_embedding_gets_one_and_the_figures_say_so(tmp_path: Path) -> None:
    catalogs.make_bundle(str(tmp_path / "bundle"))
    described = {
        "output": str(tmp_path / "runs"),
        "catalog": {"uri": catalogs.write_catalog(str(tmp_path / "images"), FILES)},
        "bundle": str(tmp_path / "bundle"),
        "embeddings": str(tmp_path / "embeddings"),
        "engine": {"device": "cpu", "actors": 1, "cpus_per_actor": 1},
    }
    run_file = tmp_path / "embed.yaml"
    run_file.write_text(yaml.safe_dump(described))

    with local_ray():
        first = run_job("embed", str(run_file), "--set", "run_id=first", "--json")
        again = run_job("embed", str(run_file), "--set", "run_id=again")
        wait_until(lambda: "ray_reshelve_items_total first" in scraped(), at_most_s=60)
        counted = scraped()["ray_reshelve_items_total first"]

    assert first.exit_code == again.exit_code == 0, first.output + again.output
    stages = [
        "reading the catalog",
        "comparing it with the kept embeddings",
        "starting Ray",
        f"embedding {len(FILES)} items in 1 unit, 0 done before",
        "keeping the embeddings",
    ]
    assert [line for line in first.stdout.splitlines() if line in stages] == stages
    assert f"{len(FILES)} items, {len(FILES)} without an embedding" in first.output
    assert f"{len(FILES)} items, {len(FILES) - len(PICTURES)} without" in again.output
    uris = [
        uri
        for path in (tmp_path / "embeddings").rglob("*.parquet")
        for uri in parquet.read_table(path)["uri"].to_pylist()
    ]
    assert sorted(Path(uri).name for uri in uris) == sorted(PICTURES)
    assert len([*(tmp_path / "embeddings").rglob("*.usearch")]) == 1
    told = told_by(first.stdout)
    assert (told["state"], told["items"]) == ("embedded", len(FILES))
    assert (told["embedded"], told["errors"]) == (len(PICTURES), len(FILES) - len(PICTURES))
    lines = (tmp_path / "runs/first/metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["done"] == counted == len(FILES)

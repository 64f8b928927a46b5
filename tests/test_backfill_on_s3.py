from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml
from deltalake import DeltaTable

from lib.embeddings import EmbeddingStore, to_table
from lib.labels_table import Change, LabelsTable
from lib.shards import to_parquet
from tests import catalogs
from tests.conftest import Bucket
from tests.local_ray import run_job
from tests.test_backfill import SPLIT

ITEMS = [f"{n:03d}.jpg" for n in range(40)]


def test_everything_of_a_backfill_lies_on_s3(s3: Bucket, tmp_path: Path) -> None:
    bundle = catalogs.make_bundle(f"{s3.uri}/bundle", architecture="squeezenet1_1")
    rows = catalogs.label_rows(ITEMS, broken=ITEMS[-1:])
    part = f"{s3.uri}/first.parquet"
    catalogs.LOCAL.write(part, to_parquet(rows))
    table = LabelsTable(f"{s3.uri}/labels", catalogs.LOCAL)
    table.publish(Change(run_id="first", base=None, parts=[part], removed=None))
    embeddings = np.random.default_rng(3).standard_normal((39, 512)).astype(np.float16)
    store = EmbeddingStore(f"{s3.uri}/embeddings", bundle.backbone_digest, catalogs.LOCAL)
    store.append("first", [to_table(rows["uri"][:39], rows["etag"][:39], embeddings)])
    examples = "".join(f"{each},{('blouse', 'polo')[n % 2]}\n" for n, each in enumerate(ITEMS[:8]))
    catalogs.LOCAL.write(f"{s3.uri}/examples.csv", f"item_id,category_id\n{examples}".encode())
    catalogs.LOCAL.write(f"{s3.uri}/taxonomy.yaml", SPLIT.encode())
    run_file = tmp_path / "move.yaml"
    described = {
        "output": f"{s3.uri}/runs",
        "run_id": "move",
        "bundle": bundle.uri,
        "taxonomy": f"{s3.uri}/taxonomy.yaml",
        "labels_table": f"{s3.uri}/labels",
        "embeddings": f"{s3.uri}/embeddings",
        "labelled": {"examples": f"{s3.uri}/examples.csv"},
        "reading": {"stores": ["/"]},
        "gates": dict.fromkeys(["max_category_changes", "max_mix_shift"]),
    }
    run_file.write_text(yaml.safe_dump(described))

    result = run_job("backfill", str(run_file))

    assert result.exit_code == 0, result.output
    assert "39 by the model on their embeddings" in result.output
    options = {"AWS_ALLOW_HTTP": "true"}
    moved = DeltaTable(f"{s3.uri}/labels", storage_options=options)
    assert moved.version() == 1
    found = pa.table(moved.to_pyarrow_table())
    assert sorted(found["item_id"].to_pylist()) == ITEMS
    assert set(found["taxonomy_version"].to_pylist()) == {"8"}
    assert "runs/move/report.html" in s3.list_keys()
    assert "runs/move/bundle/bundle.json" in s3.list_keys()

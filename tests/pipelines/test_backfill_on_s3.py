from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml
from deltalake import DeltaTable

from lib.batches import to_parquet
from lib.embeddings.store import EmbeddingStore, to_table
from lib.labels.change import Change
from lib.labels.delta_table import LabelsTable
from tests.conftest import Bucket
from tests.helpers import catalogs
from tests.helpers.jobs import run_job
from tests.pipelines.test_backfill import SPLIT

ITEMS = [f"{n:03d}.jpg" for n in range(40)]


@dataclass(frozen=True)
class Move:
    """A published table of forty items in a folder of a bucket, and its move to a new taxonomy."""

    bucket: Bucket
    name: str

    @property
    def uri(self) -> str:
        return f"{self.bucket.uri}/{self.name}"

    def prepare(self) -> None:
        """Write bundle, table, embeddings, examples and taxonomy; the same for every name."""
        bundle = catalogs.make_bundle(f"{self.uri}/bundle", architecture="squeezenet1_1")
        rows = catalogs.label_rows(ITEMS, broken=ITEMS[-1:])
        part = f"{self.uri}/first.parquet"
        catalogs.LOCAL.write(part, to_parquet(rows))
        table = LabelsTable(f"{self.uri}/table", catalogs.LOCAL)
        table.publish(Change(run_id="first", base=None, parts=[part], removed=None))
        embeddings = np.random.default_rng(3).standard_normal((39, 512)).astype(np.float16)
        store = EmbeddingStore(f"{self.uri}/embeddings", bundle.backbone_digest, catalogs.LOCAL)
        store.append("first", [to_table(rows["uri"][:39], rows["etag"][:39], embeddings)])
        examples = [f"{each},{('blouse', 'polo')[n % 2]}\n" for n, each in enumerate(ITEMS[:8])]
        text = f"item_id,category_id\n{''.join(examples)}"
        catalogs.LOCAL.write(f"{self.uri}/examples.csv", text.encode())
        catalogs.LOCAL.write(f"{self.uri}/taxonomy.yaml", SPLIT.encode())

    def write_run_file(self, folder: Path, endpoint: str | None = None) -> str:
        """Write the run file to local disk; return its path."""
        described = {
            "output": f"{self.uri}/runs",
            "run_id": "move",
            "bundle": f"{self.uri}/bundle",
            "taxonomy": f"{self.uri}/taxonomy.yaml",
            "labels_table": f"{self.uri}/table",
            "embeddings": f"{self.uri}/embeddings",
            "labelled": {"examples": f"{self.uri}/examples.csv"},
            "reading": {"stores": ["/"]},
            "gates": dict.fromkeys(["max_category_changes", "max_mix_shift"]),
            "storage": {"endpoint_url": endpoint} if endpoint else {},
        }
        run_file = folder / f"{self.name}.yaml"
        run_file.write_text(yaml.safe_dump(described))
        return str(run_file)

    def table(self) -> DeltaTable:
        """Open the table without the code under test."""
        return DeltaTable(f"{self.uri}/table", storage_options={"AWS_ALLOW_HTTP": "true"})

    def rows(self) -> pa.Table:
        """Rows of the table, by item, without what differs from run to run."""
        return catalogs.without_run(self.table())


def test_everything_of_a_backfill_lies_on_s3(s3: Bucket, tmp_path: Path) -> None:
    move = Move(s3, "shop")
    move.prepare()

    result = run_job("backfill", move.write_run_file(tmp_path))

    assert result.exit_code == 0, result.output
    assert "39 by the model on their embeddings" in result.output
    assert move.table().version() == 1
    assert move.rows()["item_id"].to_pylist() == ITEMS
    assert set(move.rows()["taxonomy_version"].to_pylist()) == {"8"}
    assert "shop/runs/move/report.html" in s3.list_keys()
    assert "shop/runs/move/bundle/bundle.json" in s3.list_keys()

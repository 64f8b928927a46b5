"""A catalog in a bucket, and jobs that are submitted to a cluster from a folder of their own."""

import subprocess
from pathlib import Path

import pyarrow as pa
import yaml
from deltalake import DeltaTable

from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from tests.conftest import Bucket, Server
from tests.helpers import catalogs
from tests.helpers.jobs import ROOT, finish, start
from tests.helpers.nodes import Nodes

RENAMED = {"shoes": "footwear", "knitwear": "knits"}
RENAMED_YAML = """\
version: "8"
replaces: {version: "7", renamed: {shoes: footwear, knitwear: knits}}
categories:
  - id: clothing
    children:
      - {id: tops, children: [{id: shirt}, {id: knits}]}
      - {id: bottoms, children: [{id: trousers}, {id: skirt}]}
  - {id: footwear}
"""
PATIENCE_S = 400  # a job takes 20 s on a quiet machine of two cores


def role(server: Server, secret: str) -> dict[str, str]:
    """What the nodes' role gives them: the standard variables."""
    return {
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ACCESS_KEY_ID": server.key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


class Catalog:
    """A labelled catalog with all that a run needs, in a bucket."""

    def __init__(self, bucket: Bucket, driver: Path, pictures: int = 60) -> None:
        files = catalogs.pictures(pictures)
        self.uri, self._driver, self.storage = bucket.uri, driver, Storage(StorageConfig())
        leaves = catalogs.TAXONOMY.leaves
        labels = {name: leaves[int(name[:3]) % len(leaves)] for name in files}
        catalogs.write_catalog(
            f"{self.uri}/images",
            {**files, **catalogs.BROKEN_FILES},
            self.storage,
            labels=labels,
        )
        self.storage.write(f"{self.uri}/taxonomy.yaml", catalogs.TAXONOMY_YAML.encode())
        for name, data in catalogs.folder_of(self._bundle()).items():
            self.storage.write(f"{self.uri}/bundle/{name}", data)

    def _bundle(self) -> Path:
        folder = self._driver / "bundle"
        if not folder.exists():
            catalogs.make_bundle(str(folder), architecture="squeezenet1_1")
        return folder

    def write(self, name: str, described: dict[str, object]) -> str:
        path = self._driver / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"output": f"{self.uri}/runs", "run_id": name, **described}))
        return str(path)

    def training(self, name: str, workers: object = 2, epochs: int = 2) -> str:
        return self.write(
            name,
            {
                "taxonomy": f"{self.uri}/taxonomy.yaml",
                "catalog": {"uri": f"{self.uri}/images/manifest.csv"},
                "embeddings": f"{self.uri}/embeddings",
                "strategy": "finetune",
                "model": {
                    "architecture": "squeezenet1_1",
                    "preprocessing": catalogs.PREPROCESSING.model_dump(mode="json"),
                },
                "training": {"epochs": epochs, "batch_size": 16, "precision": "fp32"},
                "workers": {"count": workers, "cpus": 1},
            },
        )

    def classification(self, name: str, max_error_rate: float = 0.2) -> str:
        return self.write(
            name,
            {
                "catalog": {"uri": f"{self.uri}/images/manifest.csv"},
                "bundle": f"{self.uri}/bundle",
                "labels_table": f"{self.uri}/{name}/labels",
                "embeddings": f"{self.uri}/embeddings",
                "engine": {
                    "device": "cpu",
                    "precision": "fp32",
                    "cpus_per_actor": 1,
                    "batch_size": 8,
                    "unit_size": 8,
                },
                "gates": {"max_error_rate": max_error_rate},
            },
        )

    def backfill(self, name: str, of: str) -> str:
        """Move the table of a run to a taxonomy in which two categories have other ids."""
        self.storage.write(f"{self.uri}/renamed.yaml", RENAMED_YAML.encode())
        return self.write(
            name,
            {
                "bundle": f"{self.uri}/bundle",
                "taxonomy": f"{self.uri}/renamed.yaml",
                "labels_table": f"{self.uri}/{of}/labels",
                "embeddings": f"{self.uri}/embeddings",
                "gates": {
                    "max_error_rate": 0.2,
                    "max_category_changes": None,
                    "max_mix_shift": None,
                },
            },
        )

    def matching(self, name: str, embeddings: str) -> str:
        """Find the catalog's duplicates by its images."""
        left = {"uri": f"{self.uri}/images/manifest.csv"}
        gates = {"max_error_rate": 0.2}
        return self.write(name, {"left": left, "embeddings": embeddings, "gates": gates})

    def discovery(self, name: str, embeddings: str) -> str:
        """Find groups by the embeddings that a night has kept."""
        found = {"catalog": {"uri": f"{self.uri}/images/manifest.csv"}, "groups": 2}
        return self.write(name, {**found, "bundle": f"{self.uri}/bundle", "embeddings": embeddings})

    def rows(self, name: str) -> pa.Table:
        options = {"AWS_ALLOW_HTTP": "true"}
        return catalogs.without_run(
            DeltaTable(f"{self.uri}/{name}/labels", storage_options=options)
        )


def begin(nodes: Nodes, driver: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Submit as a person does, from a folder of their own and without the store's keys."""
    environment = {"PYTHONPATH": str(ROOT), **nodes.variables, **variables}
    return start("jobs.submit", *arguments, folder=driver, environment=environment)


def end(job: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for a submitted job; return the command's exit code and what it said."""
    return finish(job, at_most_s=PATIENCE_S)


def submit(nodes: Nodes, driver: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    """Submit, and wait for the end."""
    return end(begin(nodes, driver, *arguments, **variables))

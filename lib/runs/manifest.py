"""The manifest: what a finished run holds. Once it is there, the run's rows count."""

from pydantic import Field

from lib.config.config import Config
from lib.runs import files
from lib.runs.compaction import Part
from lib.runs.receipt import Totals
from lib.runs.run import Run


class Manifest(Config):
    """`manifest.json` of a classification."""

    run_id: str
    finished_at: str
    catalog: str
    bundle: str
    taxonomy_version: str
    fingerprint: dict[str, str]
    parts: tuple[Part, ...]
    totals: Totals
    seconds: float  # of the try that finished the run
    images_per_s: float  # of that try
    node_hours: dict[str, float] = Field(default_factory=dict)  # of all tries, by kind of node


def write_manifest(run: Run, manifest: Manifest) -> None:
    """Write the manifest, unless another try of this run was first."""
    run.create(files.MANIFEST, manifest.model_dump_json(indent=2).encode())


def read_manifest(run: Run) -> Manifest | None:
    """Read a run's manifest, or None where the run is not finished."""
    return run.find(files.MANIFEST, Manifest)

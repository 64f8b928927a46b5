"""What a desk is given: the table it shows, where answers go, and the jobs it may start."""

from pydantic import Field

from lib.config.config import Config
from lib.images.config import ReadingConfig
from lib.labels.annotations import annotations_of
from lib.storage.config import StorageConfig


class JobsConfig(Config):
    """Run files of jobs that the desk may start; what is not named cannot be started."""

    classify: str | None = None
    backfill: str | None = None
    train: str | None = None


class DeskConfig(Config):
    """A desk's run file."""

    labels_table: str = "labels"
    annotations: str | None = None
    embeddings: str | None = "embeddings"
    bundle: str = "current"
    taxonomy: str | None = None  # the file that the desk edits; None: it edits none
    runs: str = "runs"
    jobs: JobsConfig = JobsConfig()
    audit_per_week: int = Field(default=50, ge=0)
    reading: ReadingConfig = ReadingConfig()
    storage: StorageConfig = StorageConfig()

    @property
    def answers(self) -> str:
        """Where the table of annotations lies."""
        return self.annotations or annotations_of(self.labels_table)

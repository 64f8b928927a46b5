"""The backbone of a training: which one it is, and where what it makes is kept."""

from collections.abc import Callable
from dataclasses import replace

from lib.models.bundle_weights import backbone_digest
from lib.storage.uris import absolute, join
from lib.training.backbone import BackboneJob
from pipelines.steps import Say
from pipelines.train_config import TrainRun
from pipelines.train_embed import Backbone


def open_backbone(
    job: BackboneJob,
    config: TrainRun,
    connect: Callable[[], None],
    say: Say,
    kept: str | None = None,
) -> Backbone:
    """Return a backbone that embeds where no store has the embeddings yet.

    Args:
        job: the backbone; where its compiled forms are kept follows here.
        config: the run file.
        connect: to the cluster, at the first need.
        say: takes each line for the person who waits.
        kept: the folder of its embeddings; None for the run file's.
    """
    digest = backbone_digest(job.load(), job.preprocessing)
    folder = absolute(kept or config.embeddings)
    return Backbone(
        job=replace(job, kept_uri=join(folder, f"{digest}-network")),
        digest=digest,
        folder=folder,
        workers=config.workers,
        connect=connect,
        say=say,
    )

"""The backbone of a training: which one it is, and where what it makes is kept."""

from dataclasses import replace

from lib.models.bundle_weights import backbone_digest
from lib.storage.uris import absolute, join
from lib.training.backbone import BackboneJob
from pipelines.steps import Say
from pipelines.train_embed import Backbone
from pipelines.train_workers import Workers


def open_backbone(job: BackboneJob, folder: str, workers: Workers, say: Say) -> Backbone:
    """Return a backbone that embeds where no store has the embeddings yet.

    Args:
        job: the backbone; where its compiled forms are kept follows here.
        folder: of the embeddings.
        workers: that compile and embed.
        say: takes each line for the person who waits.
    """
    digest = backbone_digest(job.tensors(), job.preprocessing)
    place = absolute(folder)
    return Backbone(
        job=replace(job, kept_uri=join(place, f"{digest}-network")),
        digest=digest,
        folder=place,
        workers=workers,
        say=say,
    )

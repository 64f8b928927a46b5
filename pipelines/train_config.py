"""A training's run file, and what of it can be refused before anything that is slow is loaded."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from lib.catalog.catalog import CatalogConfig
from lib.cluster.workers_config import WorkersConfig
from lib.errors import InputError
from lib.images.config import ReadingConfig
from lib.labels.promises import Accept
from lib.models.config import FILE_SUFFIXES, ModelConfig
from lib.names.config import NamesConfig, refuse_unreadable
from lib.runs.run import RunFile
from lib.storage.storage import Storage
from lib.tracking.config import MlflowConfig, refuse_unusable
from lib.training.config import TrainingConfig
from pipelines.steps import CATALOGS, apart_from_catalogs, within_catalogs


class TrainRun(RunFile):
    """A training's run file."""

    former_keys: ClassVar[Mapping[str, str]] = {
        "training.target_precision": "accept.precision",
        "training.head_epochs": "strategy",
        "training.backbone_factor": "training.layer_decay",
    }

    taxonomy: str
    catalog: CatalogConfig
    validation: CatalogConfig | None = None
    annotations: str | None = None  # people's answers, in the place of the catalogs' labels
    adapt: CatalogConfig | None = None  # its labels, if it has any, are not looked at
    validation_fraction: float = Field(default=0.2, gt=0, lt=1)
    model: ModelConfig = ModelConfig()
    names: NamesConfig = NamesConfig()
    strategy: Literal["auto", "head", "finetune"] = "auto"
    minutes: float = Field(default=7.0, gt=0, description="the most that fine-tuning may take")
    embeddings: str = "embeddings"
    training: TrainingConfig = TrainingConfig()
    accept: Accept = Accept()
    mlflow: MlflowConfig | None = None  # `{}` takes all from the environment
    workers: WorkersConfig = WorkersConfig()
    reading: ReadingConfig = Field(default=ReadingConfig(), validate_default=True)

    _within = field_validator("reading")(within_catalogs)
    _apart = field_validator(*CATALOGS, "embeddings")(apart_from_catalogs)


def refuse_missing(config: TrainRun) -> None:
    """Refuse a training whose files, or whose MLflow or text encoder, are not there.

    Raises:
        InputError: names the key and what is missing.
    """
    refuse_unusable(config.mlflow)
    storage = Storage(config.storage)
    refuse_unreadable(config.names, storage)
    given = {"taxonomy": config.taxonomy}
    if config.model.weights and config.model.weights.endswith(FILE_SUFFIXES):
        given["model.weights"] = config.model.weights
    for key, place in given.items():
        if not storage.exists(place):
            raise InputError(f"{key}: {place} is not there; give a file that is")

"""What this program and the process that talks to MLflow say to each other, as JSON."""

from lib.config.config import Config


class Metric(Config):
    """One figure at one step."""

    key: str
    value: float
    step: int
    at_ms: int


class Record(Config):
    """A training as MLflow takes it; times are milliseconds since 1970."""

    name: str
    mark: str  # no other run has it: what carries it in MLflow is this one
    began_ms: int
    ended_ms: int
    params: dict[str, str]
    metrics: tuple[Metric, ...]
    tags: dict[str, str]
    digest: str  # of the bundle


class Order(Config):
    """What is to be logged, and where: the server is MLFLOW_TRACKING_URI's."""

    experiment: str
    registered_model: str | None
    record: Record
    folder: str  # of the files that are logged


class Answer(Config):
    """Where it stands now, or why it does not."""

    experiment_id: str = ""
    run_id: str = ""  # MLflow's own
    version: str | None = None  # of the registered model
    error: str | None = None

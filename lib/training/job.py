"""What the workers of a training have in common."""

from dataclasses import dataclass

from lib.images.config import ReadingConfig
from lib.images.preprocessing import Preprocessing
from lib.runs.run import Run
from lib.training.config import Dials


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """One training; travels to its workers.

    Attributes:
        run: the folder that has the items and takes the checkpoints.
        initial_uri: the model that every worker, and every later try, begins with.
        architecture: its network.
        category_ids: the leaves, in the order of the head's rows.
        preprocessing: what the network is shown.
        dials: how it is trained.
        reading: how images are read.
        seconds: the most that it may take; None for as long as it takes.
    """

    run: Run
    initial_uri: str
    architecture: str
    category_ids: tuple[str, ...]
    preprocessing: Preprocessing
    dials: Dials
    reading: ReadingConfig
    seconds: float | None = None

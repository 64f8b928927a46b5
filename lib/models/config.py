"""Which network a training begins with, where its weights come from, and what it is shown."""

from pydantic import Field

from lib.config.config import Config
from lib.images.preprocessing import Decode, Fit, Interpolation, Positive, Preprocessing

FILE_SUFFIXES = (".safetensors", ".pth", ".pt")  # of weights in a file or at a URI
DEFAULT_ARCHITECTURE = "timm/tf_efficientnet_lite0"


class PreprocessingConfig(Config):
    """What is said of the preprocessing; None: as the weights want it."""

    size_px: int | None = Field(default=None, ge=8, le=2_048)  # as `Preprocessing`
    fit: Fit | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[Positive, Positive, Positive] | None = None
    interpolation: Interpolation = "bilinear-antialias"
    decode: Decode = "scaled-2x"


class ModelConfig(Config):
    """The network, where its weights come from, and what it is shown."""

    architecture: str = DEFAULT_ARCHITECTURE
    weights: str | None = None  # None: see `lib.models.choice`
    preprocessing: PreprocessingConfig = PreprocessingConfig()


class ChosenModel(Config):
    """The same with nothing left open; the fingerprint of a training has these keys."""

    architecture: str
    weights: str
    preprocessing: Preprocessing

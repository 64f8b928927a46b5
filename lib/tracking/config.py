"""Where a training is logged, and what of it can be refused before any work."""

import importlib.util
import os
import re

from pydantic import Field, SecretStr

from lib.config.config import Config
from lib.errors import InputError


class MlflowConfig(Config):
    """The MLflow server that a training is logged on, where a run file names one."""

    # it may hold a password; None: MLflow's own variable says it
    tracking_uri: SecretStr | None = Field(default=None, min_length=1)
    experiment: str = Field(default="reshelve", min_length=1)
    # MLflow has no other names
    registered_model: str | None = Field(default=None, pattern=r"^[^/:]+$")

    @property
    def uri(self) -> str | None:
        """The tracking URI: the run file's, or the environment's."""
        if self.tracking_uri is not None:
            return self.tracking_uri.get_secret_value()
        return os.environ.get("MLFLOW_TRACKING_URI") or None


def refuse_unusable(config: MlflowConfig | None) -> None:
    """Refuse a run file that names MLflow where it is not installed, or where no server is known.

    Raises:
        InputError: says what to install, or to set.
    """
    if config is None:
        return
    found = importlib.util.find_spec("mlflow")  # importing it takes seconds
    if found is None or found.origin is None:  # a folder of that name is no package
        raise InputError(
            "mlflow: the package is not installed here; pip install 'reshelve[mlflow]', or take "
            "'mlflow' out of the run file"
        )
    if config.uri is None:
        raise InputError(
            "mlflow: no server is named; give mlflow.tracking_uri, as in http://HOST:5000, or set "
            "MLFLOW_TRACKING_URI"
        )


def without_password(text: str, uri: str = "") -> str:
    """Return a text without the user and the password of URIs in it.

    Args:
        text: any.
        uri: one whose password appears nowhere in it, not even by itself, whatever letters it has.
    """
    if found := re.match(r"[\w+.-]+://([^:/@]*(?::(.*))?@)", uri):
        whole, password = found.groups()
        text = text.replace(whole, "")
        text = text.replace(password, "***") if password else text
    return re.sub(r"(?<=://)[^/\s]*@", "", text)

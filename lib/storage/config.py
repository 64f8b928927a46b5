"""How to reach the stores: what the run file says, else the standard AWS variables."""

import os
from pathlib import Path
from typing import Any, Self

from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from lib.config.config import Config, load_run_file
from lib.errors import InputError

HTTP = ("https://", "http://")
BEGINS = "should begin with https:// or http://"  # of an endpoint: the S3 clients panic at others


def _variable(*names: str) -> str | None:
    """Return the first of some variables of the environment that says anything."""
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


class StorageConfig(Config):
    """How to reach the stores. What is not given comes from the standard AWS variables."""

    endpoint_url: str | None = None
    region: str | None = None
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    anonymous: bool = False
    # for stores other than S3: handed to fsspec as they are; hidden, since they may hold secrets
    options: dict[str, Any] = Field(default_factory=dict, repr=False, exclude=True)

    @field_validator("endpoint_url")
    @classmethod
    def _of_http(cls, endpoint: str | None) -> str | None:
        if endpoint and not endpoint.startswith(HTTP):
            raise ValueError(BEGINS)
        return endpoint

    @model_validator(mode="after")
    def _both_keys_or_none(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("lacks one of access_key_id and secret_access_key, which go together")
        return self

    @property
    def s3_endpoint(self) -> str | None:
        """The S3 endpoint: the run file's, or the environment's.

        Raises:
            InputError: the environment's is no address.
        """
        if self.endpoint_url:
            return self.endpoint_url
        endpoint = _variable("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        if endpoint and not endpoint.startswith(HTTP):
            raise InputError(f"AWS_ENDPOINT_URL={endpoint}: it {BEGINS}")
        return endpoint

    @property
    def s3_region(self) -> str:
        """The S3 region: the run file's, or the environment's."""
        return self.region or _variable("AWS_REGION", "AWS_DEFAULT_REGION") or "us-east-1"

    def s3_keys(self) -> tuple[str, str, str | None] | None:
        """Key, secret and token that the run file gives, or None to use the environment's."""
        if self.access_key_id is None or self.secret_access_key is None:
            return None
        token = self.session_token.get_secret_value() if self.session_token else None
        return (
            self.access_key_id.get_secret_value(),
            self.secret_access_key.get_secret_value(),
            token,
        )


class StorageSection(Config):
    """Of any run file, how to reach the stores."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    storage: StorageConfig = StorageConfig()


def storage_of(run_file: Path | None) -> StorageConfig:
    """Read the `storage` of a run file, of whatever job; without a file, the environment's."""
    return StorageConfig() if run_file is None else load_run_file(StorageSection, run_file).storage

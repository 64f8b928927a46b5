"""S3 buckets opened with obstore, for the reads that must be fast."""

import threading
from datetime import timedelta
from typing import Any

from obstore.store import S3Store

from lib.credentials import BotocoreCredentials
from lib.storage_config import StorageConfig

TIMEOUT = "60s"


class Buckets:
    """Opens each bucket once; may be used from many threads."""

    def __init__(self, config: StorageConfig) -> None:
        """Keep the configuration; connections are made at first use."""
        self._config = config
        self._open: dict[str, S3Store] = {}
        self._lock = threading.Lock()

    def open(self, name: str) -> S3Store:
        """Open a bucket with the run file's credentials, or those that botocore finds."""
        with self._lock:
            if name not in self._open:
                self._open[name] = _open_bucket(name, self._config)
            return self._open[name]


def _open_bucket(name: str, config: StorageConfig) -> S3Store:
    endpoint = config.s3_endpoint
    settings: dict[str, Any] = {"region": config.s3_region}
    if endpoint:
        # stores other than AWS's seldom answer to bucket names as host names
        settings |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
    if config.anonymous:
        settings["skip_signature"] = True
    elif keys := config.s3_keys():
        names = ("access_key_id", "secret_access_key", "session_token")
        settings |= {name: value for name, value in zip(names, keys, strict=True) if value}
    else:
        settings["credential_provider"] = BotocoreCredentials()
    http = bool(endpoint and endpoint.startswith("http://"))
    return S3Store(
        name,
        client_options={"allow_http": http, "timeout": TIMEOUT, "connect_timeout": "10s"},
        # retries are counted, and made, by the caller
        retry_config={"max_retries": 0, "retry_timeout": timedelta(0)},
        **settings,
    )

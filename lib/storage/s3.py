"""S3 as the Rust libraries take it: buckets for obstore, options for Delta, AWS's credentials."""

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from obstore.store import S3Store

from lib.errors import InputError
from lib.storage.config import StorageConfig
from lib.storage.errors import NO_CREDENTIALS
from lib.storage.uris import protocol_of

if TYPE_CHECKING:
    from obstore.store import ClientConfig  # exists for type checkers alone

TIMEOUT_S = 60.0
CONNECT_S = 10.0


class Buckets:
    """Opens each bucket once; may be used from many threads."""

    def __init__(
        self, config: StorageConfig, timeout_s: float = TIMEOUT_S, stall_s: float = TIMEOUT_S
    ) -> None:
        """Keep the configuration; connections are made at first use.

        Args:
            config: how to reach the store.
            timeout_s: seconds that one request may take.
            stall_s: seconds to wait for the next bytes of an answer.
        """
        self._config = config
        self._clocks: ClientConfig = {
            "timeout": timedelta(seconds=timeout_s),
            "read_timeout": timedelta(seconds=stall_s),
            "connect_timeout": timedelta(seconds=min(CONNECT_S, timeout_s)),
        }
        self._open: dict[str, S3Store] = {}
        self._lock = threading.Lock()

    def open(self, name: str) -> S3Store:
        """Open a bucket with the run file's credentials, or those that botocore finds."""
        with self._lock:
            if name not in self._open:
                self._open[name] = _open_bucket(name, self._config, self._clocks)
            return self._open[name]


def _open_bucket(name: str, config: StorageConfig, clocks: "ClientConfig") -> S3Store:
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
        client_options={"allow_http": http, **clocks},
        # retries are counted, and made, by the caller
        retry_config={"max_retries": 0, "retry_timeout": timedelta(0)},
        **settings,
    )


class BotocoreCredentials:
    """The credential chain of every AWS tool (variables, profiles, roles), for obstore."""

    def __init__(self) -> None:
        """Find the chain's credentials; nothing is asked of the network for static keys."""
        from botocore.session import get_session  # noqa: PLC0415  # 0.1 s, which local disk need not

        self._credentials = get_session().get_credentials()

    @property
    def keys(self) -> tuple[str, str, str | None]:
        """Key, secret and token that are valid now; botocore renews those of a role in time.

        Raises:
            PermissionError: there are none.
        """
        if self._credentials is None:
            raise PermissionError("no AWS credentials: set AWS_ACCESS_KEY_ID and its secret")
        frozen = self._credentials.get_frozen_credentials()
        return frozen.access_key, frozen.secret_key, frozen.token

    def __call__(self) -> dict[str, Any]:
        """Return the keys as obstore takes them."""
        key, secret, token = self.keys
        expires_at = datetime.now(UTC) + timedelta(minutes=5)
        return {
            "access_key_id": key,
            "secret_access_key": secret,
            "token": token,
            "expires_at": expires_at,
        }


def delta_options(uri: str, config: StorageConfig) -> dict[str, str]:
    """Delta's own names for what `StorageConfig` says.

    Raises:
        InputError: there are no credentials.
    """
    if protocol_of(uri) != "s3":
        return {name: str(value) for name, value in config.options.items()}
    options = {"AWS_REGION": config.s3_region}
    if endpoint := config.s3_endpoint:
        options |= {"AWS_ENDPOINT_URL": endpoint}
        options |= {"AWS_ALLOW_HTTP": str(endpoint.startswith("http://")).lower()}
    if config.anonymous:
        return options | {"AWS_SKIP_SIGNATURE": "true"}
    try:
        key, secret, token = config.s3_keys() or BotocoreCredentials().keys
    except PermissionError:
        raise InputError(f"{uri}: {NO_CREDENTIALS}") from None
    options |= {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
    return options | ({"AWS_SESSION_TOKEN": token} if token else {})

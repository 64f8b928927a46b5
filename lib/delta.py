"""What delta-rs is told of a store, and what it says of an error, in Reshelve's words."""

import re

from lib.credentials import BotocoreCredentials
from lib.storage_config import StorageConfig
from lib.uris import protocol_of


def why(error: Exception) -> str:
    """Give the store's own word where it is in the pages that Delta quotes, else the first line."""
    text = str(error)
    code = re.search(r"<Code>(\w+)</Code>", text)
    return f"the store says {code[1]}" if code else text.splitlines()[0]


def delta_options(uri: str, config: StorageConfig) -> dict[str, str]:
    """Delta's own names for what `StorageConfig` says."""
    if protocol_of(uri) != "s3":
        return {name: str(value) for name, value in config.options.items()}
    options = {"AWS_REGION": config.s3_region}
    if endpoint := config.s3_endpoint:
        options |= {"AWS_ENDPOINT_URL": endpoint}
        options |= {"AWS_ALLOW_HTTP": str(endpoint.startswith("http://")).lower()}
    if config.anonymous:
        return options | {"AWS_SKIP_SIGNATURE": "true"}
    if keys := config.s3_keys():
        key, secret, token = keys
    else:
        found = BotocoreCredentials()()
        key, secret, token = found["access_key_id"], found["secret_access_key"], found["token"]
    options |= {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
    return options | ({"AWS_SESSION_TOKEN": token} if token else {})

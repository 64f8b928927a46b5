"""AWS credentials as every AWS tool finds them, for libraries that have another chain."""

from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session


class BotocoreCredentials:
    """The credential chain of every AWS tool (variables, profiles, roles), for obstore."""

    def __init__(self) -> None:
        """Find the chain's credentials; nothing is asked of the network for static keys."""
        self._credentials = botocore.session.get_session().get_credentials()

    def __call__(self) -> dict[str, Any]:
        """Give keys that are valid now; botocore renews those of a role before they expire."""
        if self._credentials is None:
            raise PermissionError("no AWS credentials: set AWS_ACCESS_KEY_ID and its secret")
        frozen = self._credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + timedelta(minutes=5),
        }

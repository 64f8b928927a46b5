import uuid
from pathlib import Path

import pytest


@pytest.fixture(params=["local", "memory", "s3"])
def prefix(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty prefix in one kind of store."""
    uri = {"local": str(tmp_path / "shop"), "memory": f"memory://{uuid.uuid4().hex}/shop"}
    if request.param == "s3":
        uri["s3"] = request.getfixturevalue("s3").uri + "/shop"
    return uri[request.param]

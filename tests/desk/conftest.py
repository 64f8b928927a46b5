from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.desks import Served, config_of, served
from tests.helpers.searched import make_shop


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A catalog of twelve items that was classified, every other one for review."""
    make_shop(tmp_path)
    return tmp_path


@pytest.fixture
def desk(shop: Path) -> Iterator[Served]:
    """A desk on it, served."""
    with served(config_of(shop)) as found:
        yield found

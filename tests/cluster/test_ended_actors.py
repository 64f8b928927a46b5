from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from torch import nn

from lib.images.preprocessing import Preprocessing
from lib.models.openvino_convert import convert
from lib.models.openvino_runtime import OpenVinoNetwork
from tests.helpers.local_ray import local_ray

pytestmark = [pytest.mark.ray, pytest.mark.timeout(120)]
SIDE_PX = 16


@pytest.fixture(scope="module")
def session() -> Iterator[Path]:
    with local_ray() as folder:
        yield folder


class Classifying:
    """An actor whose threads share a network, as those of a night do."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.network = OpenVinoNetwork(files, precision="fp32", batch=2, threads=1)

    def run(self) -> int:
        import os  # noqa: PLC0415  # in the actor's process

        self.network(np.zeros((2, 3, SIDE_PX, SIDE_PX), np.uint8))
        return os.getpid()


def test_an_actor_with_an_openvino_network_ends_without_a_crash(session: Path) -> None:
    import ray  # noqa: PLC0415  # takes a second, also of tests that are left out

    same = Preprocessing(size_px=SIDE_PX, fit="squash", mean=(0, 0, 0), std=(1, 1, 1))
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    kind: Any = ray.remote(Classifying)  # whose types do not know actors made from a class
    actor = kind.options(max_concurrency=2).remote(convert(layers, same))
    (number,) = {*ray.get([actor.run.remote() for _ in range(8)])}
    process = psutil.Process(number)

    actor.__ray_terminate__.remote()
    process.wait(30)

    said = [path.read_text(errors="replace") for path in session.glob(f"logs/worker-*{number}*")]
    assert said
    assert not any("SIGSEGV" in each for each in said)

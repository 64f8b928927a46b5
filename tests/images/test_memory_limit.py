import contextlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
import psutil
import pytest

from lib.images.isolated import CarefulPreparer
from tests.helpers import catalogs, crash
from tests.helpers.crashing_run import UNIT_SIZE, CrashingRun, crashing_ray, errors_of, labels_of
from tests.helpers.jobs import descendants

pytestmark = pytest.mark.processes

PICTURES = catalogs.pictures(24)
SMALL = {"max_image_pixels": 10_000, "max_image_bytes": 10_000}
VERDICT = (
    "decoder_crash",
    "the process that decodes it dies: it takes more than 1.0 GiB of memory",
)
TOO_MUCH = 3 * 2**30  # more than a worker, or a decoder with care; a hungry worker takes 4


def write(folder: Path, marks: Mapping[int, bytes]) -> list[str]:
    for place, (name, data) in enumerate(PICTURES.items()):
        (folder / name).write_bytes(data + marks.get(place, b""))
    return [str(folder / name) for name in PICTURES]


def test_an_image_whose_decoder_eats_memory_is_the_only_one_marked(tmp_path: Path) -> None:
    uris = write(tmp_path, {0: crash.HUNGRY, 5: crash.GREEDY, 6: crash.DISCREET})
    preparer = CarefulPreparer(crash.preparer_of(timeout_s=60, limits=SMALL))

    found = list(preparer.stream(uris, [None] * len(uris)))

    assert {
        place: (each.error.reason, each.error.detail)
        for place, each in enumerate(found)
        if each.error
    } == dict.fromkeys((0, 5, 6), VERDICT)
    expected = list(crash.preparer_of(limits=SMALL).stream(uris[7:], [None] * len(uris[7:])))
    for one, other in zip(found[7:], expected, strict=True):
        assert one.pixels is not None
        assert other.pixels is not None
        assert np.array_equal(one.pixels, other.pixels)


class Kernel(threading.Thread):
    """Kills what takes too much memory, as the kernel does where it runs out.

    Ray's monitor looks at all that runs on the machine, and so its verdict is not ours to foresee.
    """

    def __init__(self) -> None:
        super().__init__()
        self.killed: list[str] = []
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        while not self._ended.wait(0.2):
            for process in descendants(os.getpid()):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if process.memory_info().rss > TOO_MUCH:
                        self.killed.append(" ".join(process.cmdline()))
                        process.kill()


@pytest.mark.ray
@pytest.mark.faults
def test_an_image_that_takes_its_actor_over_its_memory_is_an_error_row_and_costs_nothing_else(
    tmp_path: Path,
) -> None:
    files = PICTURES | {"010.png": PICTURES["010.png"] + crash.HUNGRY}

    with crashing_ray(), Kernel() as kernel:
        run = CrashingRun(tmp_path, files, "ray", **SMALL, timeout_s=60)
        rows = run.classify()

    assert ["UnitActor" in each for each in kernel.killed] == [True]
    assert rows["item_id"].to_pylist() == sorted(PICTURES)
    assert errors_of(rows) == {"010.png": VERDICT}
    assert labels_of(rows) == run.undisturbed(PICTURES, but=["010.png"])
    assert run.attempts[10 // UNIT_SIZE] == max(run.attempts.values()) == 2

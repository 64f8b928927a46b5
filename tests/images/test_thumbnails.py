"""A report's small pictures are read with the same care as a unit's items."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib.images.config import ReadingConfig
from lib.images.small_jpeg import SIDE_PX
from lib.images.thumbnails import read_thumbnails
from lib.storage.config import StorageConfig
from tests.helpers import catalogs
from tests.helpers.jobs import ROOT
from tests.helpers.pictures import drawn, encode

pytestmark = pytest.mark.processes

LARGE = """
import sys
from pathlib import Path
from lib.images.config import ReadingConfig
from lib.images.thumbnails import read_thumbnails
from lib.storage.config import StorageConfig
found = read_thumbnails(sys.argv[1:], ReadingConfig(), StorageConfig())
most = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
print(len(found[0]), "torch" in sys.modules, most)
"""


def read(*paths: Path, **limits: float) -> list[Image.Image | None]:
    reading = ReadingConfig.model_validate(limits)
    found = read_thumbnails([str(path) for path in paths], reading, StorageConfig())
    return [None if jpeg is None else Image.open(BytesIO(jpeg)) for jpeg in found]


def test_each_image_is_a_small_square_upright_on_white_in_its_place(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = drawn(300, 400).transpose(Image.Transpose.ROTATE_90)
    files = {
        "a.jpg": encode(drawn(300, 400), "JPEG", quality=95),
        "b.jpg": encode(stored, "JPEG", quality=95, exif=exif),
        "c.png": encode(drawn(300, 400), "PNG"),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)

    shown = read(*(tmp_path / name for name in files))

    expected = Image.new("RGB", (SIDE_PX, SIDE_PX), "white")
    expected.paste(drawn(300, 400).resize((SIDE_PX, 120)), (0, 20))
    for each in shown:
        assert each is not None
        assert each.size == (SIDE_PX, SIDE_PX)
        apart = np.asarray(each).astype(int) - np.asarray(expected)
        assert np.abs(apart).mean() < 5


def test_what_cannot_be_shown_is_none_and_costs_no_other(tmp_path: Path) -> None:
    broken = {name: data for name, data in catalogs.BROKEN_FILES.items() if data}
    good = encode(drawn(40, 40), "PNG")
    large = encode(Image.new("1", (200, 200)), "PNG")
    for name, data in {**broken, "good.png": good, "large.png": large}.items():
        (tmp_path / name).write_bytes(data)
    names = [*broken, "missing.png", "large.png", "good.png"]

    shown = read(*(tmp_path / name for name in names), max_image_pixels=10_000)

    assert shown[:-1] == [None] * (len(broken) + 2)
    assert shown[-1] is not None


def test_a_run_without_pictures_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert read() == []


def test_a_large_image_takes_no_memory_of_the_job(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(encode(Image.new("L", (8_000, 8_000), 90), "PNG"))

    said = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", LARGE, str(path)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip

    assert int(said[0]) > 0
    assert said[1] == "False"
    assert int(said[2]) * 1024 < 8_000 * 8_000 * 3

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageEnhance, ImageOps

from lib.images.config import ReadingConfig
from lib.images.looks import MOST_BITS, differing
from lib.images.thumbnails import read_thumbnails
from lib.matching.near_copies import NearCopies, looks_of_jpeg
from lib.storage.config import StorageConfig
from tests.helpers import catalogs
from tests.matching.test_scorer import evidence_of


def copies(picture: Image.Image) -> dict[str, Image.Image]:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=30)
    return {
        "recompressed": Image.open(file),
        "smaller": picture.resize((picture.width // 2, picture.height // 2)),
        "darker": ImageEnhance.Brightness(picture).enhance(0.85),
        "mirrored": ImageOps.mirror(picture),
    }


@pytest.mark.processes
def test_copies_of_a_picture_are_near_and_other_pictures_are_not(tmp_path: Path) -> None:
    pictures = [catalogs.draw(seed).resize((200, 200)) for seed in range(12)]
    every = {f"{n}-as-it-is": picture for n, picture in enumerate(pictures)}
    for n, picture in enumerate(pictures):
        every |= {f"{n}-{kind}": copy for kind, copy in copies(picture).items()}
    for name, picture in every.items():
        picture.save(tmp_path / f"{name}.png")

    uris = [str(tmp_path / f"{name}.png") for name in every]
    reading = ReadingConfig(stores=("/",))
    small = read_thumbnails(uris, reading, StorageConfig())
    looks = {name: looks_of_jpeg(jpeg) for name, jpeg in zip(every, small, strict=True) if jpeg}

    assert looks.keys() == every.keys()
    for name, mine in looks.items():
        number = name.split("-")[0]
        original = looks[f"{number}-as-it-is"]
        assert differing(original, mine) <= MOST_BITS, name
    for one in range(12):
        for other in range(one):
            apart = differing(looks[f"{one}-as-it-is"], looks[f"{other}-as-it-is"])
            assert apart > MOST_BITS, (one, other)


@pytest.mark.processes
def test_pictures_are_looked_at_only_where_embeddings_are_alike_and_files_can_be_read(
    tmp_path: Path,
) -> None:
    for name in ("one.png", "copy.png"):
        catalogs.draw(1).save(tmp_path / name)
    evidence = evidence_of(["mug"] * 3, ["mug"] * 3, [0.95, 0.95, 0.1])
    one = str(tmp_path / "one.png")
    others = [str(tmp_path / "copy.png"), str(tmp_path / "lost.png"), str(tmp_path / "copy.png")]

    near = NearCopies.of(ReadingConfig(stores=("/",)), StorageConfig())
    marked = near.mark(evidence, pa.chunked_array([[one] * 3]), pa.chunked_array([others]))

    assert marked.near_copy.tolist() == [1, 0, 0]
    assert np.array_equal(marked.cosine, evidence.cosine)

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageEnhance, ImageOps

from lib.images.config import ReadingConfig
from lib.matching.near_copies import NearCopies
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

    names = [*every]
    pairs = [(one, other) for one in names[:12] for other in names if one != other]
    evidence = evidence_of(["mug"] * len(pairs), ["mug"] * len(pairs), [0.75] * len(pairs))
    uris = [[str(tmp_path / f"{name}.png") for name in side] for side in zip(*pairs, strict=True)]
    near = NearCopies.of(ReadingConfig(stores=("/",)), StorageConfig())
    marked = near.mark(evidence, *(pa.chunked_array([side]) for side in uris))

    for pair, is_near in zip(pairs, marked.near_copy.tolist(), strict=True):
        one, other = (name.split("-")[0] for name in pair)
        assert is_near == (one == other), pair


@pytest.mark.processes
def test_pictures_of_one_shape_are_no_copies_of_each_other(tmp_path: Path) -> None:
    """The rest of a square, filled with white, would be what most of their hashes are of."""
    pictures = [catalogs.draw(seed).resize((320, 120)) for seed in range(20)]
    uris = [str(tmp_path / f"{number}.png") for number in range(20)]
    for uri, picture in zip(uris, pictures, strict=True):
        picture.save(uri)
    ones, others = np.triu_indices(20, 1)
    evidence = evidence_of(["mug"] * len(ones), ["mug"] * len(ones), [0.75] * len(ones))

    near = NearCopies.of(ReadingConfig(stores=("/",)), StorageConfig())
    marked = near.mark(
        evidence, *(pa.chunked_array([[uris[n] for n in e]]) for e in (ones, others))
    )

    assert not marked.near_copy.any()


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

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import safetensors.torch
import torch
from torch import Tensor

from lib.embeddings.store import embeddings_schema, to_matrix
from lib.images.config import ReadingConfig
from lib.images.normalise import normalise
from lib.images.preparer import Preparer
from lib.models.classifier import Classifier, build_classifier
from lib.models.openvino_runtime import FILES
from lib.models.pretrained import parameters_of
from lib.training.backbone import (
    BATCH,
    BackboneJob,
    compile_backbone,
    embed_items,
    join_embedded,
    shares_of,
)
from tests.helpers import catalogs

pytestmark = pytest.mark.networks

ITEMS = BATCH + 8  # a batch, and a part of one
READING = ReadingConfig(threads=2)


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    folder = str(tmp_path_factory.mktemp("images"))
    return catalogs.read_items(catalogs.write_catalog(folder, catalogs.pictures(ITEMS)))


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """A network whose weights mean nothing, but whose embeddings differ from image to image."""
    torch.manual_seed(7)
    return build_classifier("resnet18", 5, catalogs.PREPROCESSING.size_px).eval()


def describe(folder: Path, classifier: Classifier) -> BackboneJob:
    state = folder / "state.safetensors"
    state.write_bytes(safetensors.torch.save(parameters_of(classifier)))
    return BackboneJob(
        storage=catalogs.LOCAL,
        state_uri=str(state),
        kept_uri=str(folder / "kept"),
        architecture="resnet18",
        categories=5,
        preprocessing=catalogs.PREPROCESSING,
        reading=READING,
    )


@pytest.fixture(scope="module")
def compiled(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> BackboneJob:
    job = describe(tmp_path_factory.mktemp("compiled"), classifier)
    assert compile_backbone(job)
    return job


@pytest.fixture(scope="module")
def in_int8(compiled: BackboneJob, items: pa.Table) -> BackboneJob:
    assert compile_backbone(compiled, items)
    return compiled


def of_torch(classifier: Classifier, items: pa.Table) -> Tensor:
    """Embed images with torch alone, float32 [n, d]."""
    preparer = Preparer(catalogs.PREPROCESSING, READING, catalogs.LOCAL.config)
    prepared = preparer.stream(items["uri"].to_pylist(), items["etag"].to_pylist())
    pixels = torch.from_numpy(np.stack([e.pixels for e in prepared if e.pixels is not None]))
    with torch.inference_mode():
        found: Tensor = classifier.backbone(
            normalise(pixels, catalogs.PREPROCESSING, torch.float32)
        )
    return found


def matrix(rows: pa.Table) -> Tensor:
    return torch.from_numpy(to_matrix(rows["embedding"].combine_chunks()).copy()).float()


def test_what_is_compiled_is_kept_and_not_compiled_again(
    compiled: BackboneJob, classifier: Classifier
) -> None:
    kept = compiled.kept("fp32")
    assert list(kept) == [*FILES["fp32"]]
    # compiled again, it would have to read what it is compiled from
    lost = replace(compiled, state_uri=f"{compiled.state_uri}.lost")
    assert compile_backbone(lost)
    assert lost.kept("fp32") == kept
    assert torch.equal(compiled.load().head.weight, classifier.head.weight)


def test_the_same_backbone_is_compiled_to_the_same_bytes(
    compiled: BackboneJob, classifier: Classifier, tmp_path: Path
) -> None:
    again = describe(tmp_path, classifier)
    compile_backbone(again)
    assert again.kept("fp32") == compiled.kept("fp32")


def test_int8_has_a_byte_for_a_weight(in_int8: BackboneJob) -> None:
    kept = in_int8.kept("int8")
    assert list(kept) == [*FILES["int8"]]
    # against a float16
    assert len(kept["int8.bin"]) < 0.6 * len(in_int8.kept("fp32")["openvino.bin"])


def test_a_compiled_form_that_is_half_there_is_none(compiled: BackboneJob, tmp_path: Path) -> None:
    half = replace(compiled, kept_uri=str(tmp_path))
    name = FILES["fp32"][0]
    (tmp_path / name).write_bytes(compiled.kept("fp32")[name])
    assert half.kept("fp32") == {}
    compile_backbone(half)
    assert half.kept("fp32") == compiled.kept("fp32")


def test_embeddings_are_those_of_torch_with_the_keys_of_their_images(
    compiled: BackboneJob, classifier: Classifier, items: pa.Table
) -> None:
    found = embed_items(compiled, items, "fp32", threads=1)

    assert found.unusable == []
    assert found.rows["uri"].to_pylist() == items["uri"].to_pylist()
    assert found.rows["etag"].to_pylist() == items["etag"].to_pylist()
    expected = of_torch(classifier, items)
    assert found.rows.schema.equals(embeddings_schema(expected.shape[1]))
    torch.testing.assert_close(matrix(found.rows), expected, rtol=0.01, atol=0.01)
    assert expected.std(dim=0).mean() > 0.02  # or equal ones would do


def test_photos_that_were_embedded_are_decoded_for_what_follows(
    compiled: BackboneJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "photos"
    items = catalogs.read_items(catalogs.write_catalog(str(folder), catalogs.pictures(5)))
    job = replace(compiled, sharers=1)
    before = embed_items(job, items, "fp32", threads=1)
    for uri in items["uri"].to_pylist():
        Path(uri).unlink()

    again = embed_items(job, items, "fp32", threads=1)

    assert again.unusable == []
    assert torch.equal(matrix(again.rows), matrix(before.rows))


def test_embeddings_of_a_backbone_that_was_not_compiled_are_the_same(
    classifier: Classifier, items: pa.Table, tmp_path: Path
) -> None:
    found = embed_items(describe(tmp_path, classifier), items.slice(0, 5), "fp32", threads=1)

    expected = of_torch(classifier, items.slice(0, 5))
    torch.testing.assert_close(matrix(found.rows), expected, rtol=2e-3, atol=2e-3)


def test_embeddings_in_int8_are_near_those_of_float32(
    in_int8: BackboneJob, classifier: Classifier, items: pa.Table
) -> None:
    found = matrix(embed_items(in_int8, items, "int8", threads=1).rows)

    alike = torch.cosine_similarity(found, of_torch(classifier, items), dim=1)
    assert alike.min() > 0.95


def test_copies_of_an_image_have_the_very_same_embedding_wherever_they_stand(
    compiled: BackboneJob, tmp_path: Path
) -> None:
    files = catalogs.pictures(ITEMS)
    names = sorted(files)
    files[names[17]] = files[names[-1]] = files[names[0]]
    copies = catalogs.read_items(catalogs.write_catalog(str(tmp_path), files))

    found = matrix(embed_items(compiled, copies, "fp32", threads=2).rows)

    assert torch.equal(found[17], found[0])
    assert torch.equal(found[-1], found[0])


def test_items_that_cannot_be_read_are_named_and_the_others_embedded(
    compiled: BackboneJob, classifier: Classifier, tmp_path: Path
) -> None:
    broken = {"001.png": b"", "x-page.png": b"<!doctype html><html></html>"}
    files = catalogs.pictures(3) | broken
    items = catalogs.read_items(catalogs.write_catalog(str(tmp_path), files, missing=["y.png"]))

    found = embed_items(compiled, items, "fp32", threads=1)

    reasons = {each.item_id: each.code for each in found.unusable}
    assert reasons == {"001.png": "empty", "x-page.png": "not_an_image", "y.png": "gone"}
    usable = items.filter(pa.array([each not in reasons for each in items["item_id"].to_pylist()]))
    assert found.rows["uri"].to_pylist() == usable["uri"].to_pylist()
    torch.testing.assert_close(
        matrix(found.rows), of_torch(classifier, usable), rtol=0.01, atol=0.01
    )


def test_where_no_item_can_be_read_there_is_no_embedding(
    compiled: BackboneJob, tmp_path: Path
) -> None:
    items = catalogs.read_items(
        catalogs.write_catalog(str(tmp_path), {"one.png": b""}, missing=["two.png"])
    )

    found = embed_items(compiled, items, "fp32", threads=1)

    assert (found.rows.num_rows, len(found.unusable)) == (0, 2)


def test_without_an_image_that_can_be_read_there_is_no_int8(
    classifier: Classifier, tmp_path: Path
) -> None:
    items = catalogs.read_items(catalogs.write_catalog(str(tmp_path / "images"), {"one.png": b""}))
    job = describe(tmp_path, classifier)

    assert not compile_backbone(job, items)
    assert job.kept("int8") == {}


Missing = Callable[[str], None]


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Missing]:
    """Take an optional library away, and hold the test to a line that says so."""
    taken: list[str] = []

    def take(library: str) -> None:
        taken.append(library)
        monkeypatch.setattr(
            "lib.training.backbone.is_installed", lambda name="openvino": name != library
        )

    yield take
    (said,) = [each.message for each in caplog.get_records("call")]
    assert f"{taken[0]} is not installed: the bundle has no" in said


def test_without_openvino_a_line_says_what_is_lacking_and_torch_embeds(
    classifier: Classifier, items: pa.Table, tmp_path: Path, missing: Missing
) -> None:
    missing("openvino")
    job = describe(tmp_path, classifier)

    assert not compile_backbone(job)
    assert embed_items(job, items.slice(0, 2), "fp32", threads=1).rows.num_rows == 2


def test_without_nncf_there_is_no_int8_and_a_line_says_so(
    classifier: Classifier, items: pa.Table, tmp_path: Path, missing: Missing
) -> None:
    missing("nncf")
    job = describe(tmp_path, classifier)

    assert not compile_backbone(job, items)
    assert job.kept("int8") == {}


@pytest.mark.parametrize(("count", "workers"), [(1, 3), (BATCH, 2), (BATCH + 1, 2), (301, 3)])
def test_shares_are_at_most_one_per_worker_and_all_items_in_order(count: int, workers: int) -> None:
    items = pa.table({"item_id": [str(n) for n in range(count)]})

    shares = shares_of(items, workers)

    assert len(shares) <= workers
    assert all(share.num_rows for share in shares)
    assert pa.concat_tables(shares).equals(items)


def test_what_shares_give_is_joined_though_one_has_no_image_that_can_be_read(
    compiled: BackboneJob, items: pa.Table, tmp_path: Path
) -> None:
    broken = catalogs.read_items(catalogs.write_catalog(str(tmp_path), {"x.png": b"no image"}))
    shares = [embed_items(compiled, each, "fp32", 1) for each in (broken, items.slice(0, 3))]

    found = join_embedded(shares)

    assert found.rows["uri"].to_pylist() == items["uri"].to_pylist()[:3]
    assert [each.item_id for each in found.unusable] == ["x.png"]

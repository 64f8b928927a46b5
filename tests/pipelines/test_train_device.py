"""A training on GPUs says in its bundle whether nights may have them decode."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import safetensors.torch
import torch

from lib.cluster.workers_config import WorkersConfig
from lib.embeddings.store import EMBEDDING, to_matrix
from lib.images.config import ReadingConfig
from lib.images.device_decode import DeviceDecoder
from lib.images.device_preparer import DevicePreparer
from lib.models.bundle import BundleInfo
from lib.models.classifier import build_classifier
from lib.training.backbone import BackboneJob, Embedded, embed_items
from pipelines.train_embed import Backbone
from pipelines.train_workers import Workers
from tests.helpers import catalogs
from tests.helpers.jobs import run_job
from tests.helpers.labelled_photos import COLOURS, photo, write_run_file
from tests.helpers.pictures import encode

NETWORK = "squeezenet1_1"


def embed_on_cpu(
    job: BackboneJob, items: pa.Table, threads: int, *, gpu: str = "none"
) -> tuple[str, Embedded]:
    """Do what a worker with a GPU does, with nvImageCodec's decoder for CPUs."""
    device = DeviceDecoder(job.preprocessing, threads, on_gpu=False)
    storage = job.storage.config
    preparer = DevicePreparer(job.preprocessing, job.reading, storage, device=device)
    by_torch = replace(job, kept_uri=f"{job.kept_uri}-none")  # as on a GPU
    return gpu, embed_items(by_torch, items, "fp32", threads, preparer)


class Here(Workers):
    """Workers that are this process."""

    def call(self, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        return [call() for call in calls]


def backbone_of(folder: Path, gpus: float, workers: int = 1) -> Backbone:
    torch.manual_seed(3)
    classifier = build_classifier(NETWORK, 5, catalogs.PREPROCESSING.size_px)
    (folder / "state").write_bytes(safetensors.torch.save(classifier.state_dict()))
    job = BackboneJob(
        storage=catalogs.LOCAL,
        state_uri=str(folder / "state"),
        kept_uri=str(folder / "network"),
        architecture=NETWORK,
        categories=5,
        preprocessing=catalogs.PREPROCESSING,
        reading=ReadingConfig(threads=2),
    )
    return Backbone(
        job=job,
        digest="none",
        folder=str(folder / "embeddings"),
        workers=Here(WorkersConfig(count=workers, gpus=gpus)),
        say=lambda _: None,
    )


@pytest.fixture
def items(tmp_path: Path) -> pa.Table:
    return catalogs.read_items(
        catalogs.write_catalog(str(tmp_path / "images"), catalogs.pictures(80))
    )


def test_what_gpus_decode_is_embedded_in_the_items_order(
    tmp_path: Path, items: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.train_embed.embed_on_gpu", embed_on_cpu)
    backbone = backbone_of(tmp_path, gpus=1, workers=2)

    found = backbone.embed_on_gpu(items)

    rows = embed_items(backbone.job, items, "fp32", 1).rows
    exact = torch.from_numpy(to_matrix(rows[EMBEDDING].combine_chunks()).copy())
    assert found is not None
    assert found[0] == "none"
    alike = torch.nn.functional.cosine_similarity(found[1].float(), exact.float())
    assert alike.min() > 0.999


def test_workers_without_gpus_embed_nothing_again(tmp_path: Path, items: pa.Table) -> None:
    assert backbone_of(tmp_path, gpus=0).embed_on_gpu(items) is None


def test_a_worker_that_finds_no_gpu_says_nothing_of_them(tmp_path: Path, items: pa.Table) -> None:
    assert backbone_of(tmp_path, gpus=1).embed_on_gpu(items) is None


def test_gpus_of_two_kinds_say_nothing(
    tmp_path: Path, items: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = iter(["one", "other"])
    monkeypatch.setattr(
        "pipelines.train_embed.embed_on_gpu",
        lambda job, items, threads: embed_on_cpu(job, items, threads, gpu=next(kinds)),
    )

    assert backbone_of(tmp_path, gpus=1, workers=2).embed_on_gpu(items) is None


def test_an_image_that_can_no_longer_be_read_says_nothing(
    tmp_path: Path, items: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.train_embed.embed_on_gpu", embed_on_cpu)
    Path(items["uri"][3].as_py().removeprefix("file://")).unlink()

    assert backbone_of(tmp_path, gpus=1).embed_on_gpu(items) is None


@pytest.mark.networks
@pytest.mark.processes
@pytest.mark.timeout(240)
def test_items_that_judge_the_model_judge_the_gpu_s_pixels_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for category in COLOURS:
        (tmp_path / "photos" / category).mkdir(parents=True)
        for seed in range(24):
            file = tmp_path / "photos" / category / f"{seed:03d}.png"
            file.write_bytes(encode(photo(category, seed).resize((48, 48)), "PNG"))
    torch.manual_seed(3)
    backbone = build_classifier(NETWORK, 1, 32).backbone
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(safetensors.torch.save(backbone.state_dict()))
    model = {
        "architecture": NETWORK,
        "weights": str(weights),
        "preprocessing": catalogs.PREPROCESSING.model_dump(mode="json"),
    }
    run_file = write_run_file(tmp_path, run_id="trained", strategy="head", model=model)
    monkeypatch.setattr(Workers, "on_gpus", property(lambda _: True))
    monkeypatch.setattr("pipelines.train_embed.embed_on_gpu", embed_on_cpu)
    monkeypatch.setattr("pipelines.train_bundle._in_int8", lambda *_: None)  # takes its time

    result = run_job("train", str(run_file))

    assert result.exit_code == 0, result.output
    bundle = tmp_path / "runs" / "trained" / "bundle" / "bundle.json"
    found = BundleInfo.model_validate_json(bundle.read_bytes()).device_decode
    assert found is not None
    assert (found.gpu, found.agreement, found.items) == ("none", 1.0, 120)
    assert np.isclose(found.accuracy, found.reference_accuracy)

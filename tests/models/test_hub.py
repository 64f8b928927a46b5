"""A hub that cannot be reached ends in one sentence, and soon."""

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import safetensors.torch
from huggingface_hub import constants

from lib.errors import InputError
from lib.models.choice import choose_model
from lib.models.classifier import build_classifier
from lib.models.config import ModelConfig
from lib.models.pretrained import load_backbone, parameters_of
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage

pytestmark = pytest.mark.timeout(60)
STORAGE = Storage(StorageConfig())
NAME = "timm/mobilenetv3_small_050"
HUB_ID = "hf-hub:someone/net"


@pytest.fixture
def silent() -> Iterator[str]:
    """Return the address of a server that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture(params=["refused", "silent"])
def unreachable(
    request: pytest.FixtureRequest, silent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Close every way out of this machine; return the hub's folder of what was fetched before."""
    proxy = silent if request.param == "silent" else "http://127.0.0.1:9"
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    # what urlopen makes at its first use, and keeps with these proxies
    monkeypatch.setattr("urllib.request._opener", None)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub"


def put(hub: Path, **files: bytes) -> None:
    """Put files into the hub's folder as if they had been fetched before."""
    repository = hub / "models--someone--net"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("a" * 40)
    folder = repository / "snapshots" / ("a" * 40)
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name.replace("__", ".")).write_bytes(data)


@pytest.mark.usefixtures("unreachable")
@pytest.mark.parametrize(
    ("architecture", "weights"),
    [
        (NAME, None),
        (NAME, HUB_ID),
        ("timm/resnet50", "hf-hub:timm/resnet50.a1_in1k"),
        ("resnet18", "IMAGENET1K_V1"),
    ],
)
def test_a_hub_that_cannot_be_reached_is_said_within_two_seconds(
    architecture: str, weights: str | None
) -> None:
    classifier = build_classifier(architecture, 2, 64)

    def look_up() -> None:
        chosen = choose_model(ModelConfig(architecture=architecture, weights=weights))
        load_backbone(classifier, chosen.architecture, chosen.weights, STORAGE)

    started = time.monotonic()
    with pytest.raises(InputError) as caught:
        look_up()

    assert time.monotonic() - started < 2 + 1  # on a machine that is busy
    assert re.fullmatch(
        r"model\.weights: \S+( of \S+)? cannot be downloaded \(\S+ does not answer\); "
        r"fetch .* elsewhere and give the file's path",
        str(caught.value),
    )


def test_what_was_fetched_before_needs_no_hub(unreachable: Path) -> None:
    before = build_classifier(NAME, 2, 64)
    put(
        unreachable,
        config__json=json.dumps(
            {
                "architecture": "mobilenetv3_small_050",
                "pretrained_cfg": {"input_size": [3, 96, 96], "mean": [0.1] * 3, "std": [0.2] * 3},
            }
        ).encode(),
        model__safetensors=safetensors.torch.save(parameters_of(before.backbone)),
    )

    chosen = choose_model(ModelConfig(architecture=NAME, weights=HUB_ID))
    after = build_classifier(NAME, 2, 64)
    load_backbone(after, chosen.architecture, chosen.weights, STORAGE)

    assert (chosen.preprocessing.size_px, chosen.preprocessing.mean) == (96, (0.1, 0.1, 0.1))
    assert parameters_of(after.backbone)["conv_stem.weight"].equal(
        parameters_of(before.backbone)["conv_stem.weight"]
    )


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (b'{"architecture": "resnet50"}', "are of timm/resnet50, not of timm/mobilenetv3_small"),
        (b'{"model_type": "bert"}', "is not a timm network: its config.json names no architect"),
        (b"<html>", "is not a timm network"),
    ],
)
def test_a_hub_id_of_another_network_is_refused(
    unreachable: Path, config: bytes, says: str
) -> None:
    put(unreachable, config__json=config)

    with pytest.raises(InputError, match=says):
        choose_model(ModelConfig(architecture=NAME, weights=HUB_ID))

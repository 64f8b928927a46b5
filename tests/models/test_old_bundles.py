"""A bundle whose network another version of its library has built gives what it gave then."""

import json
import socket
import tarfile
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from lib.errors import InputError
from lib.models.bundle import read_bundle
from lib.models.bundle_weights import load_classifier
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from tests.formats.bundles.make import NETWORKS, outputs

STORAGE = Storage(StorageConfig())
SAMPLES = Path(__file__).parents[1] / "formats" / "bundles"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    with tarfile.open(SAMPLES / "timm-0.6.13.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.mark.networks
@pytest.mark.parametrize("name", NETWORKS)
def test_a_bundle_of_an_older_timm_gives_the_same_outputs_without_a_connection(
    sample: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:  # noqa: ANN401  # of a socket
        pytest.fail("loading a bundle asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    bundle = read_bundle(str(sample / name / "bundle"), STORAGE)
    assert bundle.info.libraries == {"timm": "0.6.13"}

    given = outputs(load_classifier(bundle, STORAGE))

    then = safetensors.torch.load_file(sample / name / "outputs.safetensors")
    for kind, values in then.items():
        assert values.std(0).max() > 0.01  # the pictures differ
        torch.testing.assert_close(given[kind], values, rtol=1e-3, atol=1e-3)


def test_a_network_that_this_timm_does_not_have_is_said_with_the_version_that_had_it(
    sample: Path, tmp_path: Path
) -> None:
    described = json.loads((sample / "levit_128s/bundle/bundle.json").read_text())
    described["architecture"] = "timm/levit_forgotten"
    (tmp_path / "bundle.json").write_text(json.dumps(described))
    for name in ("taxonomy.yaml", "model.safetensors"):
        (tmp_path / name).symlink_to(sample / "levit_128s/bundle" / name)

    says = r"timm has no 'levit_forgotten'.* \(the bundle was made with timm 0\.6\.13\)"
    with pytest.raises(InputError, match=says):
        load_classifier(read_bundle(str(tmp_path), STORAGE), STORAGE)

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lib.bundle import Bundle, read_bundle
from lib.bundle_model import load_classifier, write_bundle, write_compiled
from lib.decode import decode
from lib.engine import Precision, Runtime
from lib.errors import InputError
from lib.images import DecodeLimits
from lib.inference import CLOSE, Predictor
from lib.network import Networks
from lib.openvino_network import convert
from lib.resize import resize
from tests import catalogs

BATCH = 16
IMAGES = torch.stack(
    [
        resize(decode(data, DecodeLimits()), catalogs.PREPROCESSING)
        for data in catalogs.pictures(BATCH).values()
    ]
)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return catalogs.make_bundle(str(tmp_path_factory.mktemp("plain")), architecture="resnet18")


@pytest.fixture(scope="module")
def converted(plain: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same model, with its backbone as OpenVINO wants it."""
    uri = str(tmp_path_factory.mktemp("converted"))
    classifier = load_classifier(plain, catalogs.LOCAL)
    files = convert(classifier.backbone, plain.info.preprocessing)
    digests = write_compiled(uri, catalogs.LOCAL, files)
    info = plain.info.model_copy(update={"digests": digests})
    return write_bundle(uri, catalogs.LOCAL, classifier, plain.taxonomy, info)


def predictor_of(
    bundle: Bundle, runtime: Runtime = "auto", precision: Precision = "auto"
) -> Predictor:
    networks = Networks(bundle, catalogs.LOCAL, device="cpu", runtime=runtime, threads=1)
    return Predictor(bundle, networks, precision=precision, batch=BATCH)


def test_a_converted_model_gives_torchs_probabilities(plain: Bundle, converted: Bundle) -> None:
    by_openvino = predictor_of(converted, precision="fp32")
    by_torch = predictor_of(plain, precision="fp32")
    assert by_openvino.description.startswith("openvino ")
    assert by_torch.description.startswith("torch ")
    found, expected = by_openvino.probabilities(IMAGES), by_torch.probabilities(IMAGES)
    np.testing.assert_allclose(found, expected, atol=0.005)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()


def test_a_bundle_without_a_converted_model_is_converted_when_the_run_file_says_so(
    plain: Bundle,
) -> None:
    found = predictor_of(plain, "openvino", "fp32")
    assert found.description.startswith("openvino ")
    expected = predictor_of(plain, "torch", "fp32").probabilities(IMAGES)
    np.testing.assert_allclose(found.probabilities(IMAGES), expected, atol=0.005)


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_close_calls_are_made_in_float32(converted: Bundle, runtime: Runtime) -> None:
    # logits drawn together, so that many calls are close
    info = converted.info.model_copy(update={"temperature": 200.0})
    bundle = replace(converted, info=info)
    exact = predictor_of(bundle, runtime, "fp32").probabilities(IMAGES)
    found = predictor_of(bundle, runtime, "bf16").probabilities(IMAGES)
    best = np.sort(exact, axis=1)
    assert (best[:, -1] - best[:, -2] < CLOSE / 2).sum() >= BATCH / 2
    np.testing.assert_allclose(found, exact, atol=1e-6)


def test_without_openvino_torch_classifies_and_says_so(
    converted: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("lib.network.is_installed", lambda: False)
    assert predictor_of(converted).description.startswith("torch ")
    assert "openvino is not installed: torch classifies" in caplog.text


def test_a_damaged_converted_model_is_refused_by_name(converted: Bundle, tmp_path: Path) -> None:
    for path in Path(converted.uri).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "openvino.bin").write_bytes(b"damaged")
    bundle = read_bundle(str(tmp_path), catalogs.LOCAL)
    with pytest.raises(InputError, match=r"openvino[.]bin is not the file"):
        predictor_of(bundle)


def test_converting_tells_nobody(plain: Bundle, tmp_path: Path) -> None:
    program = (
        "import sys; from lib.bundle import read_bundle; "
        "from lib.bundle_model import load_classifier; "
        "from lib.openvino_network import convert; from tests.catalogs import LOCAL; "
        "bundle = read_bundle(sys.argv[1], LOCAL); "
        "convert(load_classifier(bundle, LOCAL).backbone, bundle.info.preprocessing)"
    )
    subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", program, plain.uri],
        env={**os.environ, "HOME": str(tmp_path), "CI": "false"},
        check=True,
    )
    # its note of whom it may tell
    assert not list(tmp_path.rglob("*openvino*"))

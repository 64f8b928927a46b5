import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lib.embeddings.store import Embeddings
from lib.errors import InputError
from lib.images.decode import decode
from lib.images.formats import DecodeLimits
from lib.images.jpeg import Pixels
from lib.images.resize import resize
from lib.inference.predictor import Predictor
from lib.models.bundle import Bundle, read_bundle
from lib.models.bundle_weights import load_classifier, write_bundle, write_compiled
from lib.models.device import cpu_computes_bf16
from lib.models.int8 import Int8
from lib.models.openvino_convert import convert, quantise
from lib.models.openvino_runtime import OpenVinoNetwork
from lib.models.options import ChosenPrecision, EnginePrecision, Runtime
from lib.models.runtimes import Network, Networks
from tests.helpers import catalogs

pytestmark = pytest.mark.networks

BATCH = 16
INT8 = Int8(moved=0.4, close=0.1, agreement=1, accuracy=0.9, reference_accuracy=0.9, items=1000)
IMAGES = np.stack(
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


@pytest.fixture(scope="module")
def quantised(plain: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same model, in int8 too."""
    uri = str(tmp_path_factory.mktemp("quantised"))
    classifier = load_classifier(plain, catalogs.LOCAL)
    files = convert(classifier.backbone, plain.info.preprocessing)
    files |= quantise(files, IMAGES)
    digests = write_compiled(uri, catalogs.LOCAL, files)
    info = plain.info.model_copy(update={"digests": digests, "int8": INT8})
    return write_bundle(uri, catalogs.LOCAL, classifier, plain.taxonomy, info)


def predictor_of(
    bundle: Bundle, runtime: Runtime = "auto", precision: EnginePrecision = "auto"
) -> Predictor:
    networks = Networks(bundle, catalogs.LOCAL, device="cpu", runtime=runtime, threads=1)
    return Predictor(bundle, networks, precision=precision, batch=BATCH)


def test_a_converted_model_gives_torchs_probabilities(plain: Bundle, converted: Bundle) -> None:
    by_openvino = predictor_of(converted, precision="fp32")
    by_torch = predictor_of(plain, precision="fp32")
    assert by_openvino.description.startswith("openvino ")
    assert by_torch.description.startswith("torch ")
    found, expected = (
        by_openvino.predict(IMAGES).probabilities,
        by_torch.predict(IMAGES).probabilities,
    )
    np.testing.assert_allclose(found, expected, atol=2e-4)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()


def test_a_bundle_without_a_converted_model_is_converted_when_the_run_file_says_so(
    plain: Bundle,
) -> None:
    found = predictor_of(plain, "openvino", "fp32")
    assert found.description.startswith("openvino ")
    expected = predictor_of(plain, "torch", "fp32").predict(IMAGES).probabilities
    np.testing.assert_allclose(found.predict(IMAGES).probabilities, expected, atol=2e-4)


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_close_calls_are_made_in_float32(converted: Bundle, runtime: Runtime) -> None:
    # logits drawn together, so that every leaf is near a threshold of a fifth
    info = converted.info.model_copy(update={"temperature": 200.0, "threshold": 0.2})
    bundle = replace(converted, info=info)
    exact = predictor_of(bundle, runtime, "fp32").predict(IMAGES).probabilities
    found = predictor_of(bundle, runtime, "bf16").predict(IMAGES).probabilities
    np.testing.assert_allclose(found, exact, atol=1e-6)


def test_no_two_threads_use_openvino_for_the_first_time_at_once(
    converted: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may wait for each other for ever: three processes in fifty did."""
    running, most = 0, 0

    def infer(self: OpenVinoNetwork, request: object, images: Pixels) -> Embeddings:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.05)
        running -= 1
        return infer_it(self, request, images)

    infer_it = OpenVinoNetwork._infer  # noqa: SLF001  # what must not run twice at once
    monkeypatch.setattr(OpenVinoNetwork, "_infer", infer)
    predictor = predictor_of(converted, precision="fp32")
    both = threading.Barrier(2)

    def predict(_: int) -> None:
        both.wait()
        predictor.predict(IMAGES[:1])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(predict, range(2)))
    assert most == 1


@pytest.mark.parametrize(
    ("temperature", "threshold", "opened"),
    [(0.001, 0.2, ["bf16"]), (200.0, 0.2, ["bf16", "fp32"]), (200.0, 0.9, ["bf16"])],
    ids=["all are sure", "all are close", "all go to review either way"],
)
def test_a_finer_network_is_opened_at_the_first_close_call(
    converted: Bundle,
    monkeypatch: pytest.MonkeyPatch,
    temperature: float,
    threshold: float,
    opened: list[str],
) -> None:
    found: list[str] = []

    def open_network(self: Networks, precision: ChosenPrecision, batch: int, width: int) -> Network:
        found.append(precision)
        return open_it(self, precision, batch, width)

    open_it = Networks.open
    monkeypatch.setattr(Networks, "open", open_network)
    changed = {"temperature": temperature, "threshold": threshold}
    info = converted.info.model_copy(update=changed)
    predictor = predictor_of(replace(converted, info=info), precision="bf16")
    predictor.predict(IMAGES)
    predictor.predict(IMAGES)
    assert found == opened


def test_a_bundle_that_keeps_its_labels_in_int8_is_classified_in_int8(quantised: Bundle) -> None:
    by_int8 = predictor_of(quantised)
    finer = "bf16 and fp32" if cpu_computes_bf16() else "fp32"
    assert re.match(
        rf"openvino .*, cpu, int8, close calls in {finer}, "
        rf"{INT8.agreement:.1%} of {INT8.items:,} held-out decisions as in fp32$",
        by_int8.description,
    )
    exact = predictor_of(quantised, precision="fp32").predict(IMAGES).probabilities
    found = by_int8.predict(IMAGES).probabilities
    assert not np.allclose(found, exact, atol=1e-4)
    np.testing.assert_allclose(found, exact, atol=0.2)


def test_calls_that_int8_may_change_are_made_as_bf16_makes_them(quantised: Bundle) -> None:
    info = quantised.info.model_copy(update={"int8": INT8.model_copy(update={"moved": 50.0})})
    by_bf16 = predictor_of(quantised, precision="bf16").predict(IMAGES)
    found = predictor_of(replace(quantised, info=info)).predict(IMAGES)
    # in batches of another size
    np.testing.assert_allclose(found.probabilities, by_bf16.probabilities, atol=0.005)
    exact = predictor_of(quantised, precision="fp32").predict(IMAGES).probabilities
    assert (found.probabilities.argmax(axis=1) == exact.argmax(axis=1)).all()


@pytest.mark.parametrize("runtime", ["auto", "torch"])
def test_int8_that_cannot_be_had_is_refused_with_what_it_takes(
    converted: Bundle, runtime: Runtime
) -> None:
    with pytest.raises(InputError, match=r"engine\.precision is int8: expected a bundle"):
        predictor_of(converted, runtime, "int8")


def test_threads_get_what_one_alone_gets(quantised: Bundle) -> None:
    predictor = predictor_of(quantised)
    alone = predictor.predict(IMAGES)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(predictor.predict, [IMAGES] * 8))
    for each in found:
        assert each.probabilities.tobytes() == alone.probabilities.tobytes()
        assert each.embeddings.tobytes() == alone.embeddings.tobytes()


def test_without_openvino_torch_classifies_and_says_so(
    converted: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("lib.models.runtimes.is_installed", lambda: False)
    assert predictor_of(converted).description.startswith("torch ")
    assert "openvino is not installed: torch classifies" in caplog.text


def test_a_damaged_converted_model_is_refused_by_name(converted: Bundle, tmp_path: Path) -> None:
    for path in Path(converted.uri).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "openvino.bin").write_bytes(b"damaged")
    bundle = read_bundle(str(tmp_path), catalogs.LOCAL)
    with pytest.raises(InputError, match=r"openvino[.]bin is not the file"):
        predictor_of(bundle)


@pytest.mark.processes
def test_converting_tells_nobody(plain: Bundle, tmp_path: Path) -> None:
    program = (
        "import sys; from lib.models.bundle import read_bundle; "
        "from lib.models.bundle_weights import load_classifier; "
        "from lib.models.openvino_convert import convert; "
        "from tests.helpers.catalogs import LOCAL; "
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

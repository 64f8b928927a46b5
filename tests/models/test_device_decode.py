"""Pixels that a GPU has decoded are used where held-out items say that labels stay."""

import subprocess
import sys

import numpy as np
import pytest

from lib.labels.decisions import Decider
from lib.models.bundle import Bundle, BundleInfo, read_bundle
from lib.models.device_decode import DeviceDecode, judge_device
from lib.models.int8 import FEWEST_ITEMS, Columns, Probabilities
from lib.models.runtimes import Networks
from lib.taxonomy.taxonomy import parse_taxonomy
from tests.helpers import catalogs
from tests.helpers.jobs import ROOT

ITEMS = 1000
TRUTH: Columns = np.arange(ITEMS) % 2
TAXONOMY = parse_taxonomy("version: 1\ncategories: [{id: a}, {id: b}]", "taxonomy.yaml")
DECIDER = Decider(taxonomy=TAXONOMY, category_ids=("a", "b"), threshold=0.7)
MEASURED = DeviceDecode(
    gpu="NVIDIA L4", agreement=0.999, accuracy=0.9, reference_accuracy=0.9, items=ITEMS
)


def calls(sure: float, best: Columns) -> Probabilities:
    found = np.full((len(best), 2), 1 - sure, np.float32)
    found[np.arange(len(best)), best] = sure
    return found


EXACT = calls(0.8, TRUTH)


def some(count: int, replaced: Probabilities) -> Probabilities:
    return np.concatenate([replaced[:count], EXACT[count:]])


def test_pixels_that_change_nothing_are_found_good_with_the_gpu_s_name() -> None:
    found = judge_device(EXACT, EXACT, TRUTH, DECIDER, "NVIDIA L4")

    assert found == DeviceDecode(
        gpu="NVIDIA L4", agreement=1.0, accuracy=1.0, reference_accuracy=1.0, items=ITEMS
    )


def test_a_few_other_outcomes_are_let_through_and_counted() -> None:
    found = judge_device(EXACT, some(4, calls(0.6, TRUTH)), TRUTH, DECIDER, "")

    assert found is not None
    assert (found.agreement, found.accuracy) == (0.996, 1.0)


@pytest.mark.parametrize("sure", [0.6, 0.2])
def test_more_other_outcomes_than_one_in_two_hundred_are_not(sure: float) -> None:
    assert judge_device(EXACT, some(6, calls(sure, TRUTH)), TRUTH, DECIDER, "") is None


def test_fewer_than_a_hundred_items_say_nothing() -> None:
    few = slice(FEWEST_ITEMS - 1)
    assert judge_device(EXACT[few], EXACT[few], TRUTH[few], DECIDER, "") is None


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return catalogs.make_bundle(str(tmp_path_factory.mktemp("bundle")))


def test_a_bundle_that_has_not_measured_it_does_not_name_it(bundle: Bundle) -> None:
    assert b"device_decode" not in bundle.info.to_json()


def test_a_bundle_that_has_measured_it_is_read_as_it_was_written(bundle: Bundle) -> None:
    measured = bundle.info.model_copy(update={"device_decode": MEASURED})

    assert BundleInfo.model_validate_json(measured.to_json()) == measured


def test_without_a_gpu_cpus_decode_whatever_the_bundle_says(bundle: Bundle) -> None:
    measured = Bundle(
        bundle.uri,
        bundle.info.model_copy(update={"device_decode": MEASURED}),
        bundle.taxonomy,
        bundle.digest,
    )
    for each in (bundle, measured):
        networks = Networks(each, catalogs.LOCAL, device="cpu", runtime="auto", threads=1)
        assert networks.open_jpeg_decoder() is None


def on_a_gpu(bundle: Bundle) -> Networks:
    """Return what would be there if a GPU had been taken."""
    networks = Networks(bundle, catalogs.LOCAL, device="cpu", runtime="auto", threads=1)
    networks._on_gpu = True  # noqa: SLF001  # no machine of the tests has one
    return networks


def test_on_another_kind_of_gpu_cpus_decode_and_it_is_said(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    info = bundle.info.model_copy(update={"device_decode": MEASURED})

    networks = on_a_gpu(Bundle(bundle.uri, info, bundle.taxonomy, bundle.digest))

    assert networks.open_jpeg_decoder() is None
    assert "NVIDIA L4 has decoded them at the training of the bundle" in caplog.text


@pytest.mark.processes
def test_a_bundle_that_has_not_measured_it_never_imports_what_decodes(bundle: Bundle) -> None:
    program = (
        "import sys; from lib.models.bundle import read_bundle; "
        "from lib.models.runtimes import Networks; from lib.storage.config import StorageConfig; "
        "from lib.storage.storage import Storage; storage = Storage(StorageConfig()); "
        "networks = Networks(read_bundle(sys.argv[1], storage), storage, device='cpu', "
        "runtime='auto', threads=1); networks._on_gpu = True; "
        "print(networks.open_jpeg_decoder(), 'nvidia.nvimgcodec' in sys.modules)"
    )

    said = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", program, read_bundle(bundle.uri, catalogs.LOCAL).uri],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.stdout == "None False\n", said.stderr

"""A bundle that was damaged and whose digests match all the same is refused in one sentence."""

import json
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import torch
from torch import Tensor

from lib.drift.sample import sample_of
from lib.errors import InputError
from lib.hashing import digest_bytes
from lib.models.bundle import APART_WEIGHT, read_bundle
from lib.models.bundle_tensors import pack, unpack
from lib.models.bundle_weights import load_classifier
from lib.models.cpu_head import read_cpu_head
from lib.models.reference import REFERENCE, read_reference
from lib.models.runtimes import Networks
from tests.helpers import catalogs
from tests.helpers.jobs import run_job

MODEL = "model.safetensors"
Spoil = Callable[[dict[str, Tensor]], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    rows = (["a", "b"], ["shirt", "hat"], torch.ones(2).numpy(), torch.ones(2, 8).half().numpy())
    catalogs.make_bundle(str(folder), converted=True, reference=sample_of(*rows))
    return folder


@pytest.fixture
def bundle(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "bundle")


def replace_part(bundle: Path, name: str, data: bytes) -> None:
    """Write a part of a bundle, and its digest."""
    (bundle / name).write_bytes(data)
    described = json.loads((bundle / "bundle.json").read_text())
    described["digests"]["model" if name == MODEL else name] = digest_bytes(data)
    (bundle / "bundle.json").write_text(json.dumps(described))


def spoil_tensors(bundle: Path, spoil: Spoil) -> None:
    tensors = unpack((bundle / MODEL).read_bytes())
    spoil(tensors)
    replace_part(bundle, MODEL, pack({name: value.clone() for name, value in tensors.items()}))


def describe(bundle: Path, **changes: object) -> None:
    described = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps({**described, **changes}))


def refusal(bundle: Path) -> str:
    """Say why a bundle is refused, by what loads it for torch and by what loads its head."""
    said = set()
    for load in (load_classifier, read_cpu_head):
        with pytest.raises(InputError) as error:
            load(read_bundle(str(bundle), catalogs.LOCAL), catalogs.LOCAL)
        said.add(str(error.value))
    (sentence,) = said
    assert "\n" not in sentence
    assert sentence.endswith("; copy the whole folder again, or train again")
    return sentence


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"",
        lambda _: b"no tensors at all",
        lambda data: data[:1000],
        lambda data: data[:-1],
        lambda data: b"\xff" * 8 + data[8:],
        lambda data: data.replace(b"head.bias", b"h\xffad.bias"),
        lambda data: data.replace(b"head.bias", b"hand.bias", 1),
        lambda data: data.replace(b'"F32"', b'"X32"', 1),
    ],
    ids=["empty", "text", "header", "short", "length", "utf-8", "name", "kind"],
)
def test_a_file_that_holds_no_tensors_is_refused(
    bundle: Path, change: Callable[[bytes], bytes]
) -> None:
    replace_part(bundle, MODEL, change((bundle / MODEL).read_bytes()))
    assert f"{bundle}: {MODEL} is damaged, or was made by another program: it cannot be " in (
        refusal(bundle)
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["backbone.conv1.weight", "head.weight", "head.bias"])
def test_a_tensor_with_a_number_that_is_not_finite_is_refused(
    bundle: Path, name: str, value: float
) -> None:
    spoil_tensors(bundle, lambda tensors: tensors[name].view(-1)[3].fill_(value))
    assert f"'{name}' holds a number that is not finite" in refusal(bundle)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda t: t.pop("head.weight"), "it lacks 'head.weight'"),
        (
            lambda t: t.update({"head.bias": t["head.bias"][:-1]}),
            "'head.bias' is float32 [4], and ",
        ),
        (
            lambda t: t.update({"head.weight": t["head.bias"].clone()}),
            "'head.weight' is float32 [5], and ",
        ),
        (lambda t: t.update({"head.bias": t["head.bias"].half()}), "'head.bias' is float16 [5], "),
        (
            lambda t: t.update({APART_WEIGHT: t["head.weight"].clone()}),
            "'apart.weight' is float32 [5, 512]",
        ),
        (
            lambda t: t["head.weight"].fill_(3e38),
            "over the temperature of bundle.json the head is ",
        ),
    ],
    ids=["lacking", "rows", "axes", "kind", "parts", "large"],
)
def test_a_head_that_is_not_the_descriptions_is_refused(
    bundle: Path, spoil: Spoil, sentence: str
) -> None:
    describe(bundle, temperature=0.5)
    spoil_tensors(bundle, spoil)
    assert sentence in refusal(bundle)


def test_a_backbone_of_another_kind_of_numbers_is_refused(bundle: Path) -> None:
    name = "backbone.conv1.weight"
    spoil_tensors(bundle, lambda t: t.update({name: t[name].half()}))
    with pytest.raises(InputError, match=rf"{name}' is torch.float16, not torch.float32; copy"):
        load_classifier(read_bundle(str(bundle), catalogs.LOCAL), catalogs.LOCAL)


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Let this process take a gigabyte more than it has, and no more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + 2**30, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.networks
@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize(
    "architecture",  # of 1.8 and 0.6 thousand million numbers, and one that computes its shape
    ["timm/vit_gigantic_patch14_224", "vit_h_14", "regnet_y_128gf"],
)
def test_a_bundle_that_names_a_giant_is_refused_before_there_is_one(
    bundle: Path, architecture: str
) -> None:
    preprocessing = json.loads((bundle / "bundle.json").read_text())["preprocessing"]
    describe(bundle, architecture=architecture, preprocessing={**preprocessing, "size_px": 224})

    with pytest.raises(InputError, match="does not fit: it lacks 'backbone"):
        load_classifier(read_bundle(str(bundle), catalogs.LOCAL), catalogs.LOCAL)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda t: t.update({"backbone.conv1.weight": t["head.bias"].clone()}), "conv1.weight' is"),
        (lambda t: t.update({"backbone.more": t["head.bias"].clone()}), "no 'backbone.more'"),
        (lambda t: t.update({"head.weight": torch.ones(5, 7)}), "takes 7 .* gives \\[512\\]"),
    ],
    ids=["shape", "unknown", "head"],
)
def test_tensors_of_another_network_are_refused_by_name(
    bundle: Path, spoil: Spoil, sentence: str
) -> None:
    spoil_tensors(bundle, spoil)
    with pytest.raises(InputError, match=f"{MODEL} does not fit: .*{sentence}"):
        load_classifier(read_bundle(str(bundle), catalogs.LOCAL), catalogs.LOCAL)


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("openvino.xml", lambda _: b"", "OpenVINO cannot read it"),
        ("openvino.xml", lambda data: b"\xff\xfe" + data, "OpenVINO cannot read it"),
        ("openvino.xml", lambda data: data.replace(b"Conv", b"C\xffnv"), "OpenVINO cannot read it"),
        ("openvino.bin", lambda data: data[:1000], "OpenVINO cannot read it"),
        (
            "openvino.bin",
            lambda data: data[: len(data) // 2] + 8 * b"\xff" + data[len(data) // 2 + 8 :],
            "holds a number that is not finite",
        ),
    ],
    ids=["empty", "utf-16", "utf-8", "short", "nan"],
)
@pytest.mark.networks
def test_a_damaged_model_of_openvino_is_refused(
    bundle: Path, name: str, change: Callable[[bytes], bytes], sentence: str
) -> None:
    replace_part(bundle, name, change((bundle / name).read_bytes()))
    assert sentence in openvino_refusal(bundle, 512)


@pytest.mark.networks
def test_a_model_of_openvino_for_another_head_or_size_is_refused(bundle: Path) -> None:
    assert "it gives f32 [1,512], and the head takes f32 [1,1280]" in openvino_refusal(bundle, 1280)
    preprocessing = json.loads((bundle / "bundle.json").read_text())["preprocessing"]
    describe(bundle, preprocessing={**preprocessing, "size_px": 64})
    assert "bundle.json wants u8 [?,3,64,64]" in openvino_refusal(bundle, 512)


def openvino_refusal(folder: Path, width: int) -> str:
    found = read_bundle(str(folder), catalogs.LOCAL)
    networks = Networks(found, catalogs.LOCAL, device="cpu", runtime="openvino", threads=1)
    with pytest.raises(InputError) as error:
        networks.open("fp32", 2, width)
    said = str(error.value)
    assert said.startswith(f"{folder}: openvino.xml or openvino.bin is damaged")
    assert "\n" not in said
    return said


@pytest.mark.parametrize("data", [b"", b"PAR1no tablePAR1"])
def test_a_damaged_reference_is_refused(bundle: Path, data: bytes) -> None:
    found = read_bundle(str(bundle), catalogs.LOCAL)
    assert read_reference(found, catalogs.LOCAL) is not None
    replace_part(bundle, REFERENCE, data)
    with pytest.raises(InputError, match=rf"{REFERENCE} is damaged, .*; copy the whole folder"):
        read_reference(read_bundle(str(bundle), catalogs.LOCAL), catalogs.LOCAL)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("key", ["temperature", "threshold", "target_precision", "head_power"])
def test_a_number_of_the_description_that_is_not_finite_is_refused(
    bundle: Path, key: str, value: str
) -> None:
    describe(bundle, **{key: float(value)})
    assert value in (bundle / "bundle.json").read_text()
    with pytest.raises(InputError, match=rf"bundle\.json: .*'{key}' should be "):
        read_bundle(str(bundle), catalogs.LOCAL)


def test_figures_thresholds_and_int8_that_are_not_finite_are_refused(bundle: Path) -> None:
    nan = float("nan")
    int8 = dict.fromkeys(("moved", "close", "agreement", "accuracy", "reference_accuracy"), nan)
    claim = {"group": "a", "category_ids": ["hat"], "threshold": nan, "low": nan, "high": nan}
    claim |= dict.fromkeys(("items", "accepted", "right"), 1)
    for key, value in {
        "metrics": {"accuracy": nan},
        "thresholds": {"hat": nan},
        "int8": {**int8, "items": 10},
        "accept": {"precision": nan},
        "claims": [claim],
    }.items():
        before = (bundle / "bundle.json").read_text()
        describe(bundle, **{key: value})
        with pytest.raises(InputError, match=rf"bundle\.json: .*'{key}\."):
            read_bundle(str(bundle), catalogs.LOCAL)
        (bundle / "bundle.json").write_text(before)


def test_a_description_without_a_digest_is_refused(bundle: Path) -> None:
    describe(bundle, digests={"model": "", "taxonomy": ""})
    with pytest.raises(InputError, match=r"'digests\.backbone' is missing; copy the whole folder"):
        read_bundle(str(bundle), catalogs.LOCAL)


def test_a_spoilt_bundle_ends_a_command_with_one_sentence(bundle: Path, tmp_path: Path) -> None:
    spoil_tensors(bundle, lambda tensors: tensors["head.weight"][0].fill_(float("nan")))
    labels = dict.fromkeys(pictures := catalogs.pictures(2), "shirt")
    manifest = catalogs.write_catalog(str(tmp_path / "images"), pictures, labels=labels)
    run_file = tmp_path / "measure.yaml"
    run_file.write_text(
        f"output: {tmp_path}/runs\nbundle: {bundle}\ncatalog: {{uri: {manifest}}}\n"
    )

    result = run_job("evaluate", str(run_file))

    assert result.exit_code == 2
    (line,) = [each for each in result.stderr.splitlines() if each.startswith("error: ")]
    assert line.startswith(f"error: {bundle}: {MODEL} is damaged, or was made by another program: ")
    assert "Traceback" not in result.stderr

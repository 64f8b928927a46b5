import copy
import functools
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from lib.errors import InputError
from lib.models.classifier import Classifier, build_classifier
from lib.models.pretrained import load_backbone, parameters_of
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage

ARCHITECTURE = "shufflenet_v2_x0_5"
HUB_FILE = "shufflenetv2_x0.5-f707e7126e.pth"  # its IMAGENET1K_V1
STORAGE = Storage(StorageConfig())


@functools.cache
def made(seed: int, architecture: str) -> Classifier:
    torch.manual_seed(seed)
    return build_classifier(architecture, 3, 32)


def make(seed: int, architecture: str = ARCHITECTURE) -> Classifier:
    return copy.deepcopy(made(seed, architecture))


def torchvision_state(seed: int = 1, architecture: str = ARCHITECTURE) -> dict[str, Tensor]:
    """Return a whole torchvision model's tensors: the backbone, and a head for 1000 categories."""
    state = make(seed, architecture).backbone.state_dict()
    return {**state, "fc.weight": torch.ones(1000, 1024), "fc.bias": torch.ones(1000)}


def load(uri: object, architecture: str = ARCHITECTURE) -> Classifier:
    classifier = make(2, architecture)
    load_backbone(classifier, architecture, str(uri), STORAGE)
    return classifier


def refusal(uri: object, architecture: str = ARCHITECTURE) -> str:
    with pytest.raises(InputError, match=r"^model\.weights: ") as caught:
        load(uri, architecture)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return torch hub's folder, empty, with every way out of this machine closed."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    # what urlopen makes at its first use, and keeps with these proxies
    monkeypatch.setattr("urllib.request._opener", None)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_safetensors_load(tmp_path: Path) -> None:
    safetensors.torch.save_file(torchvision_state(), tmp_path / "w.safetensors")
    assert_equal(
        load(tmp_path / "w.safetensors").backbone.state_dict(), parameters_of(make(1).backbone)
    )


@pytest.mark.parametrize("suffix", ["pth", "pt"])
@pytest.mark.parametrize("shape", ["bare", "state_dict", "module", "both", "ordered", "legacy"])
def test_every_common_shape_of_a_state_dict_loads(tmp_path: Path, shape: str, suffix: str) -> None:
    content: dict[str, Any] = torchvision_state()
    if shape in {"module", "both"}:
        content = {f"module.{name}": value for name, value in content.items()}
    if shape in {"state_dict", "both"}:
        content = {"state_dict": content, "epoch": 90, "arch": "x"}
    if shape == "ordered":
        content = OrderedDict(content)
    file = tmp_path / f"w.{suffix}"
    torch.save(content, file, _use_new_zipfile_serialization=shape != "legacy")
    assert_equal(load(file).backbone.state_dict(), parameters_of(make(1).backbone))


def test_the_model_of_a_bundle_gives_its_backbone(tmp_path: Path) -> None:
    before = make(1)
    safetensors.torch.save_file(parameters_of(before), tmp_path / "model.safetensors")
    after = load(tmp_path / "model.safetensors")
    assert_equal(after.backbone.state_dict(), before.backbone.state_dict())


def test_the_head_of_the_weights_is_left_out_and_ours_stays(tmp_path: Path) -> None:
    safetensors.torch.save_file(torchvision_state(), tmp_path / "w.safetensors")
    assert_equal(parameters_of(load(tmp_path / "w.safetensors").head), parameters_of(make(2).head))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision_become_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    given = {
        name: value.to(dtype) if value.is_floating_point() else value
        for name, value in torchvision_state().items()
    }
    safetensors.torch.save_file(given, tmp_path / "w.safetensors")
    loaded = load(tmp_path / "w.safetensors").backbone.state_dict()
    assert loaded["conv1.0.weight"].dtype == torch.float32
    assert_equal(loaded, {name: given[name].to(loaded[name].dtype) for name in loaded})


def test_batch_counters_that_old_files_lack_are_not_missed(tmp_path: Path) -> None:
    given = {n: v for n, v in torchvision_state().items() if not n.endswith("_tracked")}
    safetensors.torch.save_file(given, tmp_path / "w.safetensors")
    loaded = load(tmp_path / "w.safetensors").backbone.state_dict()
    assert_equal({name: loaded[name] for name in loaded if name in given},
                 {name: given[name] for name in loaded if name in given})  # fmt: skip


def test_densenets_old_names_are_known(tmp_path: Path) -> None:
    state = make(1, "densenet121").backbone.state_dict()
    old = {
        name.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): value
        for name, value in state.items()
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "w.pth")
    assert_equal(load(tmp_path / "w.pth", "densenet121").backbone.state_dict(), state)


def test_none_leaves_the_backbone_as_it_is() -> None:
    assert_equal(load("none").state_dict(), make(2).state_dict())


class Bomb:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("place", ["value", "whole", "plain pickle"])
def test_code_in_a_pickle_is_refused_and_does_not_run(tmp_path: Path, place: str) -> None:
    trace, file = tmp_path / "it-ran", tmp_path / "w.pth"
    content = Bomb(trace) if place == "whole" else {**torchvision_state(), "extra": Bomb(trace)}
    if place == "plain pickle":
        file.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, file)
    assert f"{file} cannot be read" in refusal(file)
    assert not trace.exists()


def test_code_in_torch_hubs_cache_does_not_run(tmp_path: Path, hub: Path) -> None:
    torch.save({**torchvision_state(), "extra": Bomb(tmp_path / "it-ran")}, hub / HUB_FILE)
    assert "IMAGENET1K_V1" in refusal("IMAGENET1K_V1")
    assert not (tmp_path / "it-ran").exists()


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("keep", [0, 1, 1000, -1000])
def test_a_damaged_file_is_named(tmp_path: Path, name: str, keep: int) -> None:
    file = tmp_path / name
    if name.endswith(".pth"):
        torch.save(torchvision_state(), file)
    else:
        safetensors.torch.save_file(torchvision_state(), file)
    file.write_bytes(file.read_bytes()[:keep])
    assert f"{file} cannot be read" in refusal(file)


@pytest.mark.parametrize("content", [torch.ones(3), [torch.ones(3)], {"lr": 0.1}, 5])
def test_a_file_that_holds_no_state_dict_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.pth")
    assert "is not a state dict of tensors" in refusal(tmp_path / "w.pth")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"w\.pth: not found"):
        load(tmp_path / "w.pth")


def test_weights_of_another_architecture_are_refused_by_a_tensors_name(tmp_path: Path) -> None:
    safetensors.torch.save_file(parameters_of(make(1, "squeezenet1_1")), tmp_path / "w.safetensors")
    message = refusal(tmp_path / "w.safetensors")
    assert f"does not fit {ARCHITECTURE}: 'conv1.0.weight' is not there" in message


def test_a_tensor_of_another_shape_is_named_with_both_shapes(tmp_path: Path) -> None:
    state = torchvision_state()
    state["conv5.1.bias"] = torch.zeros(7)
    safetensors.torch.save_file(state, tmp_path / "w.safetensors")
    message = refusal(tmp_path / "w.safetensors")
    assert "'conv5.1.bias' has shape (7,), expected (1024,) (1 such)" in message


def test_weights_that_do_not_fit_change_nothing(tmp_path: Path) -> None:
    state = torchvision_state()
    del state["conv5.1.bias"]
    safetensors.torch.save_file(state, tmp_path / "w.safetensors")
    classifier = make(2)
    with pytest.raises(InputError):
        load_backbone(classifier, ARCHITECTURE, str(tmp_path / "w.safetensors"), STORAGE)
    assert_equal(classifier.state_dict(), make(2).state_dict())


def test_an_unknown_weights_name_lists_the_known() -> None:
    message = refusal("IMAGENET1K_V9")
    assert f"no 'IMAGENET1K_V9' for {ARCHITECTURE}; it has IMAGENET1K_V1, DEFAULT" in message


@pytest.mark.usefixtures("hub")
def test_a_download_that_fails_ends_in_one_sentence() -> None:
    message = refusal("IMAGENET1K_V1")
    assert f"IMAGENET1K_V1 of {ARCHITECTURE} cannot be downloaded" in message
    assert "give the file's path" in message


@pytest.mark.parametrize("name", ["IMAGENET1K_V1", "DEFAULT"])
def test_weights_in_torch_hubs_cache_need_no_download(hub: Path, name: str) -> None:
    torch.save(torchvision_state(), hub / HUB_FILE)
    assert_equal(load(name).backbone.state_dict(), parameters_of(make(1).backbone))


@pytest.mark.parametrize("content", [b"", b"<html>"])
def test_a_damaged_file_in_the_cache_ends_in_one_sentence(hub: Path, content: bytes) -> None:
    (hub / HUB_FILE).write_bytes(content)
    assert "cannot be downloaded" in refusal("IMAGENET1K_V1")

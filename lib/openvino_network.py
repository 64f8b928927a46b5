"""OpenVINO: the same network on a CPU, at twice torch's rate and more."""

import importlib
import importlib.util
import sys
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import Tensor, nn

from lib.preprocessing import Preprocessing
from lib.resize import normalise

GRAPH, WEIGHTS = "openvino.xml", "openvino.bin"
HINTS: Final = {"bf16": "bf16", "fp32": "f32"}


def is_installed() -> bool:
    """Say whether the optional library is there."""
    return importlib.util.find_spec("openvino") is not None


def _openvino() -> Any:  # noqa: ANN401  # a module, which has no types
    """Import OpenVINO, but not what writes into the home folder and tells its makers of it."""
    sys.modules.setdefault("openvino_telemetry", cast("Any", None))
    return importlib.import_module("openvino")


def has_bf16() -> bool:
    """Say whether this machine's CPU computes in bf16."""
    capabilities: list[str] = _openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "BF16" in capabilities


class _FromPixels(nn.Module):
    """A backbone with normalisation before it: uint8 [n, 3, s, s] to embeddings [n, d]."""

    def __init__(self, backbone: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self._backbone, self._preprocessing = backbone, preprocessing

    def forward(self, images: Tensor) -> Tensor:
        embeddings: Tensor = self._backbone(normalise(images, self._preprocessing, torch.float32))
        return embeddings


def convert(backbone: nn.Module, preprocessing: Preprocessing) -> dict[str, bytes]:
    """Convert a backbone in evaluation mode, for batches of any size; give the files by name."""
    openvino = _openvino()
    from openvino.frontend import FrontEndManager  # noqa: PLC0415  # optional
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder  # noqa: PLC0415

    side = preprocessing.size_px
    module = _FromPixels(backbone, preprocessing).eval()
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        # OpenVINO traces with a part of torch that torch calls deprecated
        warnings.simplefilter("ignore")
        example = torch.zeros(1, 3, side, side, dtype=torch.uint8)
        frontend = FrontEndManager().load_by_framework("pytorch")
        decoder = TorchScriptPythonDecoder(module, example_input=example)
        model = frontend.convert(frontend.load(decoder))
        pixels = model.input(0).get_node()
        pixels.set_element_type(openvino.Type.u8)
        pixels.set_partial_shape(openvino.PartialShape([-1, 3, side, side]))
        model.validate_nodes_and_infer_types()
        # weights in fp16 are nearer to the model's than bf16 is, and half as long
        openvino.save_model(model, Path(folder) / GRAPH, compress_to_fp16=True)
        return {name: (Path(folder) / name).read_bytes() for name in (GRAPH, WEIGHTS)}


class OpenVinoNetwork:
    """A compiled backbone: uint8 [batch, 3, s, s] to float32 [batch, d]."""

    def __init__(
        self, files: Mapping[str, bytes], *, precision: str, batch: int, threads: int
    ) -> None:
        """Compile a converted model for batches of one size."""
        openvino = _openvino()
        core = openvino.Core()
        model = core.read_model(files[GRAPH], files[WEIGHTS])
        side = model.input(0).partial_shape[2].get_length()
        model.reshape([batch, 3, side, side])
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": HINTS[precision],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            # two actors on one machine would pin themselves to the same core
            "ENABLE_CPU_PINNING": False,
        }
        self._request = core.compile_model(model, "CPU", settings).create_infer_request()
        version = openvino.get_version().split("-")[0]
        self.description = f"openvino {version}, cpu, {precision}"

    def __call__(self, images: Tensor) -> Tensor:
        """Give the embeddings of a batch."""
        self._request.infer([images.contiguous().numpy()], share_inputs=True)
        return torch.from_numpy(self._request.get_output_tensor(0).data.copy())

"""OpenVINO: the same network on a CPU, at twice torch's rate and more."""

import contextlib
import importlib
import importlib.util
import io
import logging
import sys
import tempfile
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import Tensor, nn

from lib.images.preprocessing import Preprocessing
from lib.images.resize import normalise
from lib.models.options import UNITS_AT_ONCE, ChosenPrecision

FILES: Final = {"fp32": ("openvino.xml", "openvino.bin"), "int8": ("int8.xml", "int8.bin")}
# int8 says which layers are not int8 by itself; these are computed in float32
HINTS: Final = {"int8": "f32", "bf16": "bf16", "fp32": "f32"}


def is_installed(library: str = "openvino") -> bool:
    """Say whether an optional library is there."""
    return importlib.util.find_spec(library) is not None


def import_openvino() -> Any:  # noqa: ANN401  # a module, which has no types
    """Import OpenVINO, but not what writes into the home folder and tells its makers of it."""
    sys.modules.setdefault("openvino_telemetry", cast("Any", None))
    return importlib.import_module("openvino")


class _FromPixels(nn.Module):
    """A backbone with normalisation before it: uint8 [n, 3, s, s] to embeddings [n, d]."""

    def __init__(self, backbone: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self._backbone, self._preprocessing = backbone, preprocessing

    def forward(self, images: Tensor) -> Tensor:
        embeddings: Tensor = self._backbone(normalise(images, self._preprocessing, torch.float32))
        return embeddings


def convert(backbone: nn.Module, preprocessing: Preprocessing) -> dict[str, bytes]:
    """Convert a backbone in evaluation mode, for batches of any size; return the files by name."""
    openvino = import_openvino()
    from openvino.frontend import FrontEndManager  # noqa: PLC0415  # optional
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder  # noqa: PLC0415

    side = preprocessing.size_px
    module = _FromPixels(backbone, preprocessing).eval()
    with warnings.catch_warnings():
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
        return _save(model, "fp32")


def quantise(files: Mapping[str, bytes], pixels: Tensor) -> dict[str, bytes]:
    """Quantise a converted backbone to int8, after training; return the files by name.

    Scales come from the activations that some images cause, by NNCF's post-training quantization
    (https://docs.openvino.ai/2026/openvino-workflow/model-optimization.html).

    Args:
        files: as `convert` gives them.
        pixels: uint8 [n, 3, s, s], some hundreds of the images that were trained on.
    """
    openvino = import_openvino()
    import nncf  # noqa: PLC0415  # optional

    logging.getLogger("nncf").setLevel(logging.ERROR)
    graph, weights = FILES["fp32"]
    model = openvino.Core().read_model(files[graph], files[weights])
    batches = nncf.Dataset([each[None].numpy() for each in pixels])
    with contextlib.redirect_stdout(io.StringIO()):  # its bars of progress
        quantised = nncf.quantize(model, batches, subset_size=len(pixels))
    return _save(quantised, "int8")


def _save(model: Any, precision: str) -> dict[str, bytes]:  # noqa: ANN401  # it has no types
    graph, weights = FILES[precision]
    # else numbered by what this process has made before: the same model, but other bytes
    model.set_friendly_name(precision)
    for place, node in enumerate(model.get_ordered_ops()):
        node.set_friendly_name(f"{node.get_type_name()}-{place}")
    with tempfile.TemporaryDirectory() as folder:
        # weights in fp16 are nearer to the model's than bf16 is, and half as long
        import_openvino().save_model(model, Path(folder) / graph, compress_to_fp16=True)
        return {name: (Path(folder) / name).read_bytes() for name in (graph, weights)}


class OpenVinoNetwork:
    """A compiled backbone: uint8 [batch, 3, s, s] to float32 [batch, d].

    Threads may call it at once: each one's batch has its share of the cores, so that no core waits
    for another's part.
    """

    def __init__(
        self, files: Mapping[str, bytes], *, precision: ChosenPrecision, batch: int, threads: int
    ) -> None:
        """Compile a converted model for batches of one size."""
        openvino = import_openvino()
        graph, weights = FILES["int8" if precision == "int8" else "fp32"]
        core = openvino.Core()
        model = core.read_model(files[graph], files[weights])
        side = model.input(0).partial_shape[2].get_length()
        model.reshape([batch, 3, side, side])
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": HINTS[precision],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": min(UNITS_AT_ONCE, threads),
            # two actors on one machine would pin themselves to the same core
            "ENABLE_CPU_PINNING": False,
        }
        self._compiled = core.compile_model(model, "CPU", settings)
        # not in threading.local, which on Ray's threads outlives the interpreter, and crashes it
        self._idle: list[Any] = []
        self._first_use = threading.Lock()
        version = openvino.get_version().split("-")[0]
        self.description = f"openvino {version}, cpu, {precision}"

    def __call__(self, images: Tensor) -> Tensor:
        """Return the embeddings of a batch."""
        try:
            request = self._idle.pop()
        except IndexError:
            # OpenVINO makes tables at the first use of a request, and threads that make one at
            # once wait for each other for ever
            with self._first_use:
                request = self._compiled.create_infer_request()
                return self._infer(request, images)
        return self._infer(request, images)

    def _infer(self, request: Any, images: Tensor) -> Tensor:  # noqa: ANN401  # it has no types
        request.infer([images.contiguous().numpy()], share_inputs=True)
        embeddings = torch.from_numpy(request.get_output_tensor(0).data.copy())
        self._idle.append(request)
        return embeddings

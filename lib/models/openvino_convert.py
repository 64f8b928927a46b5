"""From a network of torch to OpenVINO's files, in float32 and in int8."""

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lib.images.jpeg import Pixels
from lib.images.normalise import normalise
from lib.images.preprocessing import Preprocessing
from lib.models.openvino_runtime import FILES, import_openvino


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


def quantise(files: Mapping[str, bytes], pixels: Pixels) -> dict[str, bytes]:
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
    batches = nncf.Dataset([each[None] for each in pixels])
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
        # weights in fp16, its default, are half as long and move a confidence by hundredths
        import_openvino().save_model(model, Path(folder) / graph, compress_to_fp16=False)
        return {name: (Path(folder) / name).read_bytes() for name in (graph, weights)}

"""OpenVINO: the same network on a CPU, at twice torch's rate and more."""

import importlib
import importlib.util
import sys
import threading
from collections.abc import Mapping
from typing import Any, Final, cast

import numpy as np

from lib.embeddings.store import Embeddings, as_kept
from lib.images.jpeg import Pixels
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


class OpenVinoNetwork:
    """A compiled backbone: uint8 [batch, 3, s, s] to embeddings, float16 [batch, d].

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

    def __call__(self, images: Pixels) -> Embeddings:
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

    def _infer(self, request: Any, images: Pixels) -> Embeddings:  # noqa: ANN401  # it has no types
        request.infer([np.ascontiguousarray(images)], share_inputs=True)
        embeddings = as_kept(request.get_output_tensor(0).data)
        self._idle.append(request)
        return embeddings

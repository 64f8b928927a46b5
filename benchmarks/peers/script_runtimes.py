# ruff: noqa: T201  # it prints what it has measured
"""What a script of one's own may compute with, from uint8 pixels to probabilities on a CPU.

As a command it times each on batches in memory, and prints images/s by runtime as JSON.
"""

import argparse
import json
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.peers.common import MEAN, STD, computes_bf16, load_model
from lib.models.openvino_runtime import import_openvino, is_installed

SIZE_PX = 224
BATCHES = 4
Batch = tuple[Tensor, Tensor]  # numbers of the rows, and what belongs to each
Classify = Callable[[Iterable[Batch]], Iterator[Batch]]


class FromPixels(nn.Module):
    """The network with normalisation before it and softmax behind it."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        """Put it in the order of memory that convolutions like, in a precision."""
        super().__init__()
        self._network = network.to(dtype).to(memory_format=torch.channels_last)
        self._dtype = dtype
        self._mean, self._std = (255 * torch.tensor(each).view(1, 3, 1, 1) for each in (MEAN, STD))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return probabilities, float32 [n, categories], of uint8 [n, 3, s, s]."""
        images = ((pixels.float() - self._mean) / self._std).to(self._dtype)
        logits: Tensor = self._network(images.contiguous(memory_format=torch.channels_last))
        return logits.float().softmax(dim=1)


def open_eager(architecture: str, weights: str, batch: int) -> Classify:
    """Return torch as it is, in bf16 where the processor computes in it."""
    del batch
    dtype = torch.bfloat16 if computes_bf16() else torch.float32
    return _in_turn(FromPixels(load_model(architecture, weights), dtype).eval())


def open_compiled(architecture: str, weights: str, batch: int) -> Classify:
    """Return torch's own compiler, with its weights frozen; batches are filled up to one size."""
    import torch._inductor.config as inductor  # noqa: PLC0415  # only here

    inductor.freezing = True
    dtype = torch.bfloat16 if computes_bf16() else torch.float32
    module = FromPixels(load_model(architecture, weights), dtype).eval()
    compiled = torch.compile(module)

    def filled(pixels: Tensor) -> Tensor:
        missing = pixels.new_zeros(batch - len(pixels), *pixels.shape[1:])
        found: Tensor = compiled(torch.cat([pixels, missing]))
        return found[: len(pixels)]

    return _in_turn(filled)


def _in_turn(module: Callable[[Tensor], Tensor]) -> Classify:
    def classify(batches: Iterable[Batch]) -> Iterator[Batch]:
        with torch.inference_mode():
            for rows, pixels in batches:
                yield rows, module(pixels)

    return classify


def open_openvino(architecture: str, weights: str, batch: int) -> Classify:
    """Return OpenVINO with as many requests at once as it wants; the conversion is kept."""
    del batch
    openvino = import_openvino()
    converted = Path(weights).with_suffix(".xml")
    if not converted.exists():
        module = FromPixels(load_model(architecture, weights), torch.float32).eval()
        example = torch.zeros(1, 3, SIZE_PX, SIZE_PX, dtype=torch.uint8)
        shape = [-1, 3, SIZE_PX, SIZE_PX]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it traces with a part of torch that is deprecated
            model = openvino.convert_model(module, example_input=example, input=[shape])
        openvino.save_model(model, converted)
    compiled = openvino.Core().compile_model(converted, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT"})
    requests = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
    idle = [compiled.create_infer_request() for _ in range(requests)]

    def classify(batches: Iterable[Batch]) -> Iterator[Batch]:
        waiting: deque[tuple[Tensor, Tensor, Any]] = deque()

        def end() -> Batch:
            rows, _, request = waiting.popleft()
            request.wait()
            idle.append(request)
            return rows, torch.from_numpy(request.get_output_tensor(0).data.copy())

        for rows, pixels in batches:
            if not idle:
                yield end()
            request = idle.pop()
            request.start_async([pixels.numpy()], share_inputs=True)
            waiting.append((rows, pixels, request))
        while waiting:
            yield end()

    return classify


RUNTIMES: dict[str, Callable[[str, str, int], Classify]] = {
    "openvino": open_openvino,
    "compiled": open_compiled,
    "eager": open_eager,
}


def main() -> None:
    """Time each; the first batches, which compile, do not count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    given = parser.parse_args()
    pixels = torch.randint(0, 256, (given.batch_size, 3, SIZE_PX, SIZE_PX), dtype=torch.uint8)
    batch = torch.arange(given.batch_size), pixels
    for name, opened in RUNTIMES.items():
        if name == "openvino" and not is_installed():
            continue
        classify = opened(given.architecture, given.weights, given.batch_size)
        deque(classify([batch] * 2), maxlen=0)
        began = time.perf_counter()
        deque(classify([batch] * BATCHES), maxlen=0)
        rate = BATCHES * given.batch_size / (time.perf_counter() - began)
        # line by line: where the next one is stopped, or fails, these are known
        print(json.dumps({name: round(rate, 1)}), flush=True)


if __name__ == "__main__":
    main()

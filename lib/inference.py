"""From prepared images to calibrated probabilities, on one device."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lib.bundle import Bundle, load_classifier
from lib.device import Device, Precision, pick_device, pick_dtype
from lib.preprocessing import normalise
from lib.storage import Storage

Probabilities = np.ndarray[Any, np.dtype[np.float32]]


class Predictor:
    """A bundle's model, ready on a device.

    Each batch is filled up to the same shape, so that an image gives the same numbers whatever
    stands beside it: the kernels that are chosen depend on the shape.
    """

    def __init__(
        self, bundle: Bundle, storage: Storage, *, device: Device, precision: Precision, batch: int
    ) -> None:
        """Load the model; the backbone takes the precision, the head stays in float32."""
        self.device = pick_device(device)
        self.dtype = pick_dtype(precision, self.device)
        self.batch = batch
        self._preprocessing = bundle.info.preprocessing
        self._temperature = bundle.info.temperature
        classifier = load_classifier(bundle, storage).to(self.device)
        self._backbone = classifier.backbone.to(self.dtype).to(memory_format=torch.channels_last)
        self._head = classifier.head
        side = self._preprocessing.size_px
        self.probabilities(torch.zeros(1, 3, side, side, dtype=torch.uint8))

    @property
    def description(self) -> str:
        """Device and precision, as the manifest and the report name them."""
        precision = {torch.bfloat16: "bf16", torch.float32: "fp32"}[self.dtype]
        return f"torch {torch.__version__}, {self.device.type}, {precision}"

    @property
    def no_probabilities(self) -> Probabilities:
        """The result for no images: float32 [0, categories]."""
        return np.empty((0, self._head.out_features), np.float32)

    @torch.inference_mode()
    def probabilities(self, images: Tensor) -> Probabilities:
        """Give calibrated probabilities.

        Args:
            images: uint8 [n, 3, s, s], n at most `batch`, as `preprocessing.resize` gives them.

        Returns:
            float32 [n, categories], columns in the order of the bundle's `category_ids`.
        """
        count = len(images)
        if count < self.batch:
            images = torch.cat([images, images.new_zeros(self.batch - count, *images.shape[1:])])
        pixels = normalise(images.to(self.device), self._preprocessing, self.dtype)
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        logits = self._head(self._backbone(pixels).float())
        scaled = torch.softmax(logits / self._temperature, dim=1)[:count]
        result: Probabilities = scaled.cpu().numpy()
        return result

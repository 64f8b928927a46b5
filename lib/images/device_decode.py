"""JPEG files decoded and resized on a GPU, by nvImageCodec and torch.

Pixels are not those of `lib.images.decode` to the byte: the device rounds otherwise, and decodes
whole what that one decodes smaller. Whoever takes them has measured that labels stay.
"""

import io
import logging
import os
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from PIL import Image

from lib.images.jpeg import Pixels
from lib.images.preprocessing import Preprocessing
from lib.images.resize import resize

LOGGER = logging.getLogger(__name__)
# chroma is interpolated, as libjpeg does; nvJPEG's flag 4 is to refuse what is not by the book
_OPTIONS: Final = ":fancy_upsampling=1 :extra_flags=4"
_TRIED_PX: Final = 64


class DeviceDecoder:
    """Decodes many JPEG files at a time, to the model's pixels; of one thread at a time."""

    def __init__(self, preprocessing: Preprocessing, threads: int, *, on_gpu: bool = True) -> None:
        """Take hold of the device.

        Args:
            preprocessing: what pictures become.
            threads: of the CPU, which the device's decoder has help from.
            on_gpu: or on the CPU, for those who have none and want to see the same code work.

        Raises:
            ImportError: nvImageCodec is not installed, or not for this machine.
            RuntimeError: the device cannot be used.
        """
        os.environ.setdefault("PYNVIMGCODEC_VERBOSITY", "0")  # else a line for each file it leaves
        from nvidia import nvimgcodec  # noqa: PLC0415  # an extra

        self._codec, self._preprocessing, self._on_gpu = nvimgcodec, preprocessing, on_gpu
        # which of them takes a file depends on the file alone, and so do its pixels
        kinds = ("HW_GPU_ONLY", "GPU_ONLY", "HYBRID_CPU_GPU") if on_gpu else ("CPU_ONLY",)
        device = "NVIMGCODEC_DEVICE_CURRENT" if on_gpu else "NVIMGCODEC_DEVICE_CPU_ONLY"
        self._decoder: Any = nvimgcodec.Decoder(
            device_id=getattr(nvimgcodec, device),
            max_num_cpu_threads=threads,
            backends=[nvimgcodec.Backend(getattr(nvimgcodec, kind)) for kind in kinds],
            options=_OPTIONS,
        )
        self._params = nvimgcodec.DecodeParams(
            apply_exif_orientation=False, color_spec=nvimgcodec.ColorSpec.SRGB
        )

    def decode(self, files: Sequence[bytes]) -> list[Pixels | None]:
        """Return uint8 [3, s, s] of each file, or None where the device does not decode it.

        Args:
            files: plain ones, as `lib.images.plain_jpeg` says.

        Raises:
            RuntimeError: the device fails as a whole.
        """
        streams = [self._codec.CodeStream(data) for data in files]
        decoded = self._decoder.decode(streams, params=self._params)
        return [None if each is None else self._fit(each) for each in decoded]

    def _fit(self, image: Any) -> Pixels | None:  # noqa: ANN401  # nvImageCodec's
        from torch import from_numpy  # noqa: PLC0415  # takes seconds
        from torch.utils.dlpack import from_dlpack  # noqa: PLC0415  # as above

        # without a driver, nothing can be handed over in CUDA's way
        found: Any = from_dlpack(image) if self._on_gpu else from_numpy(np.asarray(image))
        try:
            return resize(found.permute(2, 0, 1), self._preprocessing, _resample)
        except RuntimeError:  # of a picture that is too long for its kernel, or for its memory
            return None


def _resample(image: Any, height: int, width: int) -> Pixels:  # noqa: ANN401  # a tensor, wherever it is
    """Do what `lib.images.resampling` does, to a level: CUDA has no kernel for bytes."""
    import torch  # noqa: PLC0415  # as above
    from torch.nn.functional import interpolate  # noqa: PLC0415  # as above

    with torch.inference_mode():
        scaled = interpolate(
            image[None].float(),
            (height, width),
            mode="bilinear",
            align_corners=False,
            antialias=True,
        )
        found: Pixels = scaled[0].round().clamp(0, 255).byte().cpu().numpy()
    return found


def gpu_name() -> str | None:
    """Return what the GPU of this process is called, or None where torch has none."""
    import torch  # noqa: PLC0415  # as above

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def open_on_gpu(preprocessing: Preprocessing, threads: int) -> DeviceDecoder | None:
    """Return a decoder that has shown on a small file that it works, or None; the log says why."""
    try:
        decoder = DeviceDecoder(preprocessing, threads)
        if decoder.decode([_small_file()])[0] is not None:
            return decoder
        why = "nvJPEG is not installed, or does not fit the driver"
    except ImportError:
        why = "nvImageCodec is not installed: pip install 'reshelve[gpu]'"
    except RuntimeError as error:
        why = str(error)
    LOGGER.warning("JPEG files are decoded on CPUs alone: %s", why)
    return None


def _small_file() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (_TRIED_PX, _TRIED_PX), "white").save(file, "JPEG")
    return file.getvalue()

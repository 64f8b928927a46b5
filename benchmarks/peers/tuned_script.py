# a command
"""A script of one's own by somebody who measures, and takes what is the fastest.

DataLoader workers that decode while the network loads, JPEG decoded no larger than is needed,
uint8 between processes, and the runtime that is the fastest on this machine.
"""

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.v2 import functional

from benchmarks.peers.common import note, parser
from benchmarks.peers.script_runtimes import RUNTIMES, SIZE_PX

Pixels = np.ndarray[Any, np.dtype[np.uint8]]  # [h, w, 3]


class Images(Dataset[tuple[int, Tensor]]):
    """Images on disk by the number of their row: uint8 [3, s, s]."""

    def __init__(self, paths: list[str]) -> None:
        """Keep the paths."""
        self._paths = paths

    def __len__(self) -> int:
        """Count the images."""
        return len(self._paths)

    def __getitem__(self, row: int) -> tuple[int, Tensor]:
        """Read, decode, cut the centred square out, resize."""
        data = Path(self._paths[row]).read_bytes()
        image = torch.from_numpy(decode(data)).permute(2, 0, 1)
        square = functional.center_crop(image, [min(image.shape[1:])])
        return row, functional.resize(square, [SIZE_PX, SIZE_PX], antialias=True)


def decode(data: bytes) -> Pixels:
    """Decode; a JPEG at the smallest scale that still has the network's size."""
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, "RGB", min_height=SIZE_PX, min_width=SIZE_PX)
    except ValueError:  # no JPEG, or one of four colours
        return np.array(Image.open(BytesIO(data)).convert("RGB"))
    return pixels


def main() -> None:
    """Read, decode, classify, write."""
    parsing = parser()
    parsing.add_argument("--runtime", choices=RUNTIMES, required=True)
    given = parsing.parse_args()
    paths = pq.read_table(given.manifest)["uri"].to_pylist()
    workers = len(os.sched_getaffinity(0))
    # forked before any thread is there; they decode while the network is loaded
    loader = DataLoader(
        Images(paths), batch_size=given.batch_size, num_workers=workers, prefetch_factor=4
    )
    batches = iter(loader)
    classify = RUNTIMES[given.runtime](given.architecture, given.weights, given.batch_size)
    labels = np.zeros(len(paths), np.int64)
    confidences = np.zeros(len(paths), np.float32)
    for rows, probabilities in classify(batches):
        best, places = probabilities.max(dim=1)
        labels[rows.numpy()], confidences[rows.numpy()] = places.numpy(), best.numpy()
        note(given.notes, len(rows))
    table = pa.table({"uri": paths, "label": labels, "probability": confidences})
    pq.write_table(table, f"{given.output}/labels.parquet")


if __name__ == "__main__":
    main()

# a command
"""A plain script of one's own: DataLoader workers, bf16 where there is, channels last, Parquet."""

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import torchvision
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.peers.common import arguments, computes_bf16, load_model, note, transform


class Images(Dataset[tuple[int, Tensor]]):
    """Images by the number of their row."""

    def __init__(self, uris: list[str]) -> None:
        """Keep the uris; each worker opens its own connections."""
        self._uris, self._transform = uris, transform()

    def __len__(self) -> int:
        """Count the images."""
        return len(self._uris)

    def __getitem__(self, row: int) -> tuple[int, Tensor]:
        """Fetch, decode, transform."""
        with fsspec.open(self._uris[row], "rb") as file:
            data = torch.frombuffer(bytearray(file.read()), dtype=torch.uint8)
        image = torchvision.io.decode_image(data, torchvision.io.ImageReadMode.RGB)
        return row, self._transform(image)


def main() -> None:
    """Load, classify, write."""
    given = arguments()
    uris = pq.read_table(given.manifest)["uri"].to_pylist()
    model = load_model(given.architecture, given.weights).to(memory_format=torch.channels_last)
    dtype = torch.bfloat16 if computes_bf16() else torch.float32
    model = model.to(dtype)
    labels = [0] * len(uris)
    loader = DataLoader(
        Images(uris),
        batch_size=given.batch_size,
        num_workers=torch.get_num_threads(),
        multiprocessing_context="forkserver",
    )
    with torch.inference_mode():
        for rows, images in loader:
            batch = images.to(dtype).contiguous(memory_format=torch.channels_last)
            classes = model(batch).argmax(dim=1).tolist()
            for row, label in zip(rows.tolist(), classes, strict=True):
                labels[row] = label
            note(given.notes, len(classes))
    pq.write_table(pa.table({"uri": uris, "label": labels}), f"{given.output}/labels.parquet")


if __name__ == "__main__":
    main()

# a command
"""Batch inference with Daft 0.7 as its published benchmark does it.

After the image classification of https://github.com/Eventual-Inc/Daft/tree/main/benchmarking: urls
are downloaded and decoded, transformed one by one, and classified by a UDF that holds the model.
"""

import daft
import torch
from daft import DataType, col

from benchmarks.peers.common import arguments, classify, load_model, note, transform

SHAPE = (3, 224, 224)


def main() -> None:
    """Download, decode, transform, classify, write."""
    given = arguments()
    steps = transform()

    @daft.udf(return_dtype=DataType.int64(), batch_size=given.batch_size, concurrency=1)
    class Model:
        def __init__(self) -> None:
            self._model = load_model(given.architecture, given.weights)

        def __call__(self, images: daft.Series) -> list[int]:
            stacked = torch.stack([torch.as_tensor(image) for image in images.to_pylist()])
            classes = classify(self._model, stacked)
            note(given.notes, len(classes))
            return classes

    frame = daft.read_parquet(given.manifest).select("uri")
    frame = frame.with_column("image", col("uri").download().decode_image(mode="RGB"))
    frame = frame.with_column(
        "tensor",
        col("image").apply(
            lambda image: steps(image).numpy(),
            return_dtype=DataType.tensor(DataType.float32(), shape=SHAPE),
        ),
    )
    frame = frame.with_column("label", Model(col("tensor")))  # type: ignore[call-arg]  # the decorator makes it a function
    frame.select("uri", "label").write_parquet(given.output)


if __name__ == "__main__":
    main()

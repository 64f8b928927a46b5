# a command
"""Batch inference with Ray Data as its documentation shows it.

After https://docs.ray.io/en/latest/data/examples/pytorch_resnet_batch_prediction.html: images are
read and decoded by `read_images`, transformed one by one, and classified by a pool of actors.
"""

from typing import Any

import numpy as np
import pyarrow.parquet as pq
import ray
import torch

from benchmarks.peers.common import arguments, classify, load_model, note, transform


class Model:
    """The actor that holds the model."""

    def __init__(self, architecture: str, weights: str, notes: str) -> None:
        """Load the model; it may use every core."""
        torch.set_num_threads(int(ray.cluster_resources()["CPU"]))
        self._model, self._notes = load_model(architecture, weights), notes

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Classify a batch."""
        images = torch.as_tensor(np.stack(batch["transformed_image"]))
        classes = classify(self._model, images)
        note(self._notes, len(classes))
        return {"path": batch["path"], "label": np.array(classes)}


def main() -> None:
    """Read, transform, classify, write."""
    given = arguments()
    ray.init(address="local", include_dashboard=False)
    uris = pq.read_table(given.manifest)["uri"].to_pylist()
    steps = transform()

    def preprocess(row: dict[str, Any]) -> dict[str, Any]:
        return {"path": row["path"], "transformed_image": steps(row["image"]).numpy()}

    ray.data.read_images(uris, mode="RGB", include_paths=True).map(preprocess).map_batches(
        Model,
        fn_constructor_args=(given.architecture, given.weights, given.notes),
        batch_size=given.batch_size,
        compute=ray.data.ActorPoolStrategy(size=1),
        # less than a core: a pool that reserves every core starves the tasks that read
        num_cpus=0.5,
    ).write_parquet(given.output)


if __name__ == "__main__":
    main()

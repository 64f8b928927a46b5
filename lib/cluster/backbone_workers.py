"""The Ray boundary of a backbone: compiled and asked for embeddings where workers would run."""

import math

import pyarrow as pa
import ray

from lib.cluster.worker_errors import worker_errors
from lib.cluster.workers_config import WorkersConfig
from lib.training.backbone import BackboneJob, Embedded, Precision, compile_backbone, embed_items


def compile_on_ray(
    job: BackboneJob, workers: WorkersConfig, scale_items: pa.Table | None = None
) -> bool:
    """Compile a backbone as `compile_backbone`: the driver may have no cores to spare.

    Raises:
        ReshelveError: it cannot be compiled.
    """
    compiled = ray.remote(num_cpus=workers.cpus)(compile_backbone)
    with worker_errors():
        found: bool = ray.get(compiled.remote(job, scale_items))
    return found


def embed_on_ray(
    job: BackboneJob, items: pa.Table, precision: Precision, workers: WorkersConfig
) -> Embedded:
    """Embed items, each worker its share of them; as `embed_items`.

    Raises:
        ReshelveError: a worker failed.
    """
    threads = max(int(workers.cpus), 1)
    embedded = ray.remote(num_cpus=workers.cpus, num_gpus=workers.gpus)(embed_items)
    size = math.ceil(items.num_rows / workers.least)
    shares = [items.slice(start, size) for start in range(0, items.num_rows, size)]
    with worker_errors():
        found: list[Embedded] = ray.get(
            [embedded.remote(job, share, precision, threads) for share in shares]
        )
    return Embedded(
        rows=pa.concat_tables([each.rows for each in found if each.rows.num_rows])
        if any(each.rows.num_rows for each in found)
        else found[0].rows,
        unusable=[item for each in found for item in each.unusable],
    )

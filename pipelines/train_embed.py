"""Embeddings of labelled items: the kept ones, and the others from their images."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from lib.embeddings.lookup import look_up
from lib.embeddings.store import EMBEDDING, KEY, EmbeddingStore, to_matrix
from lib.hashing import digest_json
from lib.reasons import ErrorItem
from lib.storage.storage import Storage
from lib.training.backbone import (
    BackboneJob,
    Precision,
    compile_backbone,
    embed_items,
    embed_on_gpu,
    join_embedded,
    shares_of,
)
from pipelines.classify_missing import keep_index
from pipelines.steps import Say
from pipelines.train_labelled import Labelled, as_labelled
from pipelines.train_workers import Workers


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A backbone that embeds images where no store has their embeddings yet.

    Attributes:
        job: the backbone.
        digest: what its embeddings are kept under.
        folder: of the embeddings.
        workers: that compile and embed.
        say: takes each line for the person who waits.
    """

    job: BackboneJob
    digest: str
    folder: str
    workers: Workers
    say: Say
    unusable: dict[str, ErrorItem] = field(default_factory=dict)

    @property
    def storage(self) -> Storage:
        """How to reach all places."""
        return self.job.storage

    def store(self, precision: Precision = "fp32") -> EmbeddingStore:
        """Return where embeddings of a precision are kept; nights use those of float32."""
        suffix = "" if precision == "fp32" else f"-{precision}"
        return EmbeddingStore(self.folder, self.digest + suffix, self.storage)

    def compile(self) -> None:
        """Compile the backbone for CPUs, where that is not kept: nights may have embedded all."""
        if not self.job.kept("fp32"):
            self.say("compiling the network")
            self._compile()

    def embed(
        self, items: pa.Table, precision: Precision = "fp32", scale_items: pa.Table | None = None
    ) -> tuple[pa.Table, Tensor]:
        """Return the items that have an embedding, in their order, and these, float16 [m, d].

        Args:
            items: columns of `ITEM_SCHEMA`.
            precision: int8 is compiled first; no item has an embedding where it cannot be.
            scale_items: whose images give the scales of int8.
        """
        store = self.store(precision)
        rows, vectors = look_up(items, store)
        there = set(rows.to_pylist())
        lacking = [row for row in range(items.num_rows) if row not in there]
        missing = items.take(pa.array(lacking, pa.int64()))
        if missing.num_rows:
            images = f"{missing.num_rows:,} images"
            again = f"embedding {images} again in {precision}, to see that the labels stay"
            self.say(f"embedding {images}" if precision == "fp32" else again)
            compiled = self._compile(scale_items)
            if precision == "int8" and not compiled:
                return items.slice(0, 0), torch.empty(0, 0, dtype=torch.float16)
            threads, shares = self.workers.threads, shares_of(missing, self.workers.count)
            found = join_embedded(
                self.workers.call(
                    [partial(embed_items, self.job, each, precision, threads) for each in shares]
                )
            )
            self.unusable.update({each.item_id: each for each in found.unusable})
            if found.rows.num_rows:
                store.append(file_name(missing), [found.rows])
                if precision == "fp32":  # what searches ask
                    keep_index(store, file_name(missing), self.say)
            rows, vectors = look_up(items, store)
        order = np.argsort(rows.to_numpy())
        return items.take(rows.take(pa.array(order))), torch.from_numpy(vectors[order])

    def embed_on_gpu(self, items: pa.Table) -> tuple[str, Tensor] | None:
        """Embed items once more, from pixels that GPUs decode; nothing of it is kept.

        Returns:
            The GPUs' name, and float16 [n, d]; None where workers have no GPU that decodes, where
            theirs are of several kinds, or where an image can no longer be read.
        """
        if not self.workers.on_gpus:
            return None
        images = f"{items.num_rows:,} images"
        self.say(f"embedding {images} again as GPUs decode them, to see that the labels stay")
        threads, shares = self.workers.threads, shares_of(items, self.workers.count)
        calls = [partial(embed_on_gpu, self.job, each, threads) for each in shares]
        found = [each for each in self.workers.call(calls) if each]
        if len(found) < len(shares) or len({gpu for gpu, _ in found}) > 1:
            return None
        rows = join_embedded([each for _, each in found]).rows
        if rows.num_rows < items.num_rows:
            return None
        vectors = to_matrix(rows[EMBEDDING].combine_chunks())
        return found[0][0], torch.from_numpy(vectors.copy())

    def _compile(self, scale_items: pa.Table | None = None) -> bool:
        (compiled,) = self.workers.call([partial(compile_backbone, self.job, scale_items)])
        return compiled


def file_name(items: pa.Table) -> str:
    """Name a store's file by the items in it: no other ones, of whatever run, are written there."""
    return f"train-{digest_json([items[name].to_pylist() for name in KEY])[:16]}"


def embed_labelled(
    backbone: Backbone, train: pa.Table, held_out: pa.Table, leaves: tuple[str, ...]
) -> Labelled:
    """Embed the labelled items; a photo under two labels is left out, and so are held-out copies.

    Raises:
        InputError: a category has no photo that can be used, or all have one alone.
    """
    items, vectors = backbone.embed(pa.concat_tables([train, held_out]))
    unseen = set(held_out["item_id"].to_pylist())
    labelled = as_labelled(items, vectors, unseen, leaves, backbone.unusable)
    for sentence in labelled.sentences:
        backbone.say(sentence)
    return labelled

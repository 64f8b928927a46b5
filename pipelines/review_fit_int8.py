"""Whether a new head decides in int8 as in float32, by the embeddings that are kept."""

from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from lib.embeddings.lookup import look_up
from lib.embeddings.store import EmbeddingStore
from lib.evaluation.held_out import Calibrated
from lib.models.int8 import Int8
from pipelines.train_head import FittedHead
from pipelines.train_int8 import Judges, judge_outcomes
from pipelines.train_labelled import Labelled
from pipelines.train_names import TrainedNames

Floats = np.ndarray[Any, np.dtype[np.float32]]


def judge_kept(
    head: FittedHead,
    labelled: Labelled,
    image: Calibrated,
    names: TrainedNames | None,
    coarse: EmbeddingStore,
) -> Int8 | None:
    """Judge int8 by what is decided of held-out items whose embeddings are kept in both precisions.

    Args:
        head: the new head, which holds each of these out in turn.
        labelled: the labelled items.
        image: the head's calibration.
        names: titles beside it, where they are used.
        coarse: the store of the backbone's embeddings in int8.

    Returns:
        None where too few are kept, or int8 is no good for this head.
    """
    items = labelled.items.take(pa.array(head.judged.numpy()))
    found, vectors = look_up(items, coarse)
    if not len(found):
        return None
    rows = torch.from_numpy(found.to_numpy().copy())
    places = head.judged[rows]

    def probabilities(embeddings: Tensor) -> Floats:
        scaled = image.scaling.apply(head.score(embeddings, places))
        made: Floats = torch.softmax(scaled, dim=1).float().numpy()
        return made

    both = probabilities(labelled.vectors[places]), probabilities(torch.from_numpy(vectors))
    targets = labelled.targets[places].numpy()
    judges = Judges(targets=targets, image=image, names=names, rows=rows.numpy())
    return judge_outcomes(both, judges)

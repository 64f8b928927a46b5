"""Checkpoints of a training: one object an epoch, in the run's storage."""

import io
from dataclasses import asdict
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from lib.models.pretrained import read_safetensors
from lib.storage.storage import Storage
from lib.storage.uris import join
from lib.training.history import EpochRecord

FOLDER = "checkpoints"


def write_checkpoint(
    run_uri: str, storage: Storage, history: list[EpochRecord], state: dict[str, Any]
) -> None:
    """Write the state after an epoch; one atomic PUT, so that a kill leaves the one before."""
    buffer = io.BytesIO()
    torch.save({"history": [asdict(each) for each in history], **state}, buffer)
    name = f"epoch-{len(history):04d}.pt"
    storage.write(join(run_uri, FOLDER, name), buffer.getvalue())
    for old in storage.names(join(run_uri, FOLDER)):
        if old.startswith("epoch-") and old < name:
            storage.delete(join(run_uri, FOLDER, old))


def read_checkpoint(
    run_uri: str, storage: Storage
) -> tuple[list[EpochRecord], dict[str, Any]] | None:
    """Read the latest checkpoint, or None where the training has not finished an epoch."""
    names = sorted(n for n in storage.names(join(run_uri, FOLDER)) if n.startswith("epoch-"))
    if not names:
        return None
    data = storage.read(join(run_uri, FOLDER, names[-1]))
    state: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    history = [EpochRecord(**each) for each in state.pop("history")]
    return history, state


def write_best(run_uri: str, storage: Storage, tensors: dict[str, Tensor]) -> None:
    """Write the best model so far."""
    storage.write(join(run_uri, FOLDER, "best.safetensors"), safetensors.torch.save(tensors))


def read_best(run_uri: str, storage: Storage) -> dict[str, Tensor]:
    """Read the best model of a training."""
    return read_safetensors(join(run_uri, FOLDER, "best.safetensors"), storage)

"""Checkpoints of a training: one object an epoch, in the run's storage."""

import io
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from lib.models.bundle_tensors import pack
from lib.models.pretrained import read_safetensors
from lib.runs import files
from lib.runs.run import Run
from lib.training.history import EpochRecord

TRAINED = f"{files.CHECKPOINTS}/trained.safetensors"


def write_checkpoint(run: Run, history: list[EpochRecord], state: dict[str, Any]) -> None:
    """Write the state after an epoch; one atomic PUT, so that a kill leaves the one before."""
    buffer = io.BytesIO()
    torch.save({"history": [asdict(each) for each in history], **state}, buffer)
    name = f"epoch-{len(history):04d}.pt"
    run.write(f"{files.CHECKPOINTS}/{name}", buffer.getvalue())
    for old in run.names(files.CHECKPOINTS):
        if old.startswith("epoch-") and old < name:
            run.storage.delete(run.at(f"{files.CHECKPOINTS}/{old}"))


def read_checkpoint(run: Run) -> tuple[list[EpochRecord], dict[str, Any]] | None:
    """Read the latest checkpoint, or None where the training has not finished an epoch."""
    names = sorted(n for n in run.names(files.CHECKPOINTS) if n.startswith("epoch-"))
    if not names:
        return None
    data = run.read(f"{files.CHECKPOINTS}/{names[-1]}")
    state: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    history = [EpochRecord(**each) for each in state.pop("history")]
    return history, state


def write_trained(run: Run, tensors: dict[str, Tensor]) -> None:
    """Write the model that a training has led to."""
    run.write(TRAINED, pack(tensors))


def read_trained(run: Run) -> dict[str, Tensor]:
    """Read the model that a training has led to."""
    return read_safetensors(run.at(TRAINED), run.storage)

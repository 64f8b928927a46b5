"""Embeddings of labelled photos, made in code: unlabelled ones tell how they vary."""

import torch
from torch import Tensor

LEAVES, WIDTH = 4, 40


def draw(count: int, seed: int, apart: float = 0.6) -> tuple[Tensor, Tensor]:
    """Draw embeddings of categories that vary along a few common directions.

    Returns:
        float16 [count, WIDTH], and their columns, int64 [count].
    """
    places = torch.Generator().manual_seed(0)
    centres = apart * torch.randn(LEAVES, WIDTH, generator=places)
    common = torch.randn(8, WIDTH, generator=places)
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(count) % LEAVES
    spread = torch.randn(count, 8, generator=generator) @ common
    noise = torch.randn(count, WIDTH, generator=generator)
    return (3 + centres[targets] + 0.3 * spread + 0.4 * noise).half(), targets

"""A head on a CPU gives without torch what torch gives."""

import numpy as np
import pytest
import torch

from lib.models.bundle import Row
from lib.models.cpu_head import CpuHead
from lib.models.head import Head

DIMENSIONS, ITEMS = 24, 50
SPLIT: tuple[Row, ...] = ("a", ("d", "e"), "c", ("f", "g", "h"), "a")


@pytest.mark.parametrize("power", [1.0, 0.5])
@pytest.mark.parametrize(
    "rows",
    [("a", "b", "c", "d", "e"), ("a", "b", "a", "c", "b"), SPLIT],
    ids=["plain", "merged", "split"],
)
def test_probabilities_are_torchs(rows: tuple[Row, ...], power: float) -> None:
    random = np.random.default_rng(0)
    parts = sum(len(row) for row in rows if isinstance(row, tuple))
    weight, bias, apart_weight, apart_bias = (
        random.standard_normal(shape).astype(np.float32)
        for shape in ((5, DIMENSIONS), (5,), (parts, DIMENSIONS), (parts,))
    )
    vectors = random.standard_normal((ITEMS, DIMENSIONS)).astype(np.float16)
    of_torch = Head(
        torch.from_numpy(weight),
        torch.from_numpy(bias),
        rows,
        1.7,
        torch.from_numpy(apart_weight),
        torch.from_numpy(apart_bias),
        power,
    )

    found = CpuHead(weight, bias, rows, 1.7, apart_weight, apart_bias, power).probabilities(vectors)

    expected = of_torch.probabilities(torch.from_numpy(vectors)).numpy()
    assert found.shape == (ITEMS, len(of_torch.leaves))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)

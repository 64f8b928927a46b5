import pytest
import torch

from lib.heads.lda import discriminants_of_few, moments_of


@pytest.mark.parametrize("shrinkage", [0.1, 0.9])
def test_few_items_give_the_same_head_by_way_of_their_products(shrinkage: float) -> None:
    generator = torch.Generator().manual_seed(3)
    targets = torch.arange(24) % 4
    vectors = torch.randn(24, 40, generator=generator) + targets.unsqueeze(1)

    ((weight, bias),) = discriminants_of_few(vectors, targets, 4, [shrinkage])

    expected = moments_of([vectors], targets, 4).discriminants(shrinkage=shrinkage)
    torch.testing.assert_close((weight, bias), expected, rtol=1e-3, atol=1e-3)

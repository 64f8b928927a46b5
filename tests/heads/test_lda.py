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


@pytest.mark.parametrize("items", [5, 6])
def test_leaves_of_one_item_each_are_told_apart_by_their_items(items: int) -> None:
    drawn = torch.randn(5, 1280, generator=torch.Generator().manual_seed(3)).abs().half()
    targets = torch.arange(items) % 5

    weight, bias = moments_of([drawn[targets]], targets, 5).discriminants(shrinkage=0.1)

    said = (drawn.float() @ weight.T + bias).argmax(dim=1)
    assert said.tolist() == [0, 1, 2, 3, 4]

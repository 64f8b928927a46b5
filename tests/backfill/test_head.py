from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lib.backfill.head_bundle import NewHead, carry_head, write_head_bundle
from lib.backfill.head_split import LabelledEmbeddings, can_split, split_head
from lib.heads.lda import moments_of
from lib.models.bundle import read_bundle
from lib.models.bundle_weights import load_classifier
from lib.models.head import Head, raise_to, read_head
from lib.models.reference import read_reference
from lib.taxonomy.migration import migrate
from lib.taxonomy.taxonomy import Taxonomy, parse_taxonomy
from tests.helpers import catalogs
from tests.helpers.samples import sample

DIMENSIONS = 16
NOTHING = torch.empty(0, DIMENSIONS), torch.empty(0)
OLD = parse_taxonomy('version: "1"\ncategories: [{id: a}, {id: b}, {id: c}]', "old.yaml")


def new(replaces: str, *leaves: str) -> Taxonomy:
    categories = ", ".join(f"{{id: {leaf}}}" for leaf in leaves)
    return parse_taxonomy(
        f'version: "2"\nreplaces: {{version: "1", {replaces}}}\ncategories: [{categories}]', "new"
    )


def old_head() -> Head:
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(3, DIMENSIONS, generator=generator)
    return Head(weight, torch.randn(3, generator=generator), ("a", "b", "c"), 1.5, *NOTHING)


def clusters(count: int, leaves: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Embeddings around a centre a leaf, in turn."""
    centres = torch.randn(leaves, DIMENSIONS, generator=torch.Generator().manual_seed(7))
    targets = torch.arange(count) % leaves
    noise = torch.randn(count, DIMENSIONS, generator=torch.Generator().manual_seed(seed))
    return (3 * centres[targets] + noise).half(), targets


def test_a_head_is_right_from_a_few_items_a_category() -> None:
    train, targets = clusters(40, 10)
    unseen, truth = clusters(500, 10, seed=1)

    weight, bias = moments_of([train], targets, 10).discriminants()

    best = (unseen.float() @ weight.T + bias).argmax(dim=1)
    assert (best == truth).float().mean() > 0.95


def test_the_same_items_give_the_same_head() -> None:
    train, targets = clusters(300, 5)
    one, two = (moments_of([train], targets, 5).discriminants() for _ in range(2))

    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])


def test_a_head_is_the_same_in_however_many_parts_its_embeddings_come() -> None:
    train, targets = clusters(300, 5)
    whole, parts = (moments_of(t, targets, 5).discriminants() for t in ([train], train.split(7)))

    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-4)


def test_rows_of_one_leaf_add_up() -> None:
    vectors, _ = clusters(20, 3)
    plain = old_head().probabilities(vectors)

    merged = replace(old_head(), rows=("x", "b", "x"))

    assert merged.leaves == ("x", "b")
    expected = torch.stack([plain[:, 0] + plain[:, 2], plain[:, 1]], dim=1)
    torch.testing.assert_close(merged.probabilities(vectors), expected)


def split(power: float = 1.0) -> tuple[Head, Tensor, Tensor]:
    """The head whose b is split into d and e, and embeddings with their leaves."""
    old = replace(old_head(), power=power)
    migration = migrate([OLD, new("split: {b: [d, e]}", "a", "d", "e", "c")])
    vectors, targets = clusters(200, 4)
    held_out = LabelledEmbeddings(*clusters(80, 4, seed=5))
    moments = moments_of([raise_to(vectors.float(), power)], targets, 4)
    assert can_split(old, migration)
    return split_head(old, migration, moments, held_out), vectors, targets


@pytest.mark.parametrize("power", [1.0, 0.5])
def test_a_split_leaves_all_other_probabilities_as_they_were(power: float) -> None:
    head, vectors, _ = split(power)
    old = replace(old_head(), power=power)
    before, after = old.probabilities(vectors), head.probabilities(vectors)

    assert head.leaves == ("a", "d", "e", "c")
    torch.testing.assert_close(after[:, 0], before[:, 0])
    torch.testing.assert_close(after[:, 3], before[:, 2])
    torch.testing.assert_close(after[:, 1] + after[:, 2], before[:, 1])


def test_the_parts_of_a_split_are_told_apart() -> None:
    head, vectors, targets = split()
    after = head.probabilities(vectors)
    parts = (targets == 1) | (targets == 2)

    right = (after[parts][:, 2] > after[parts][:, 1]) == (targets[parts] == 2)

    assert right.float().mean() > 0.95


def test_a_part_that_is_split_again_asks_for_a_new_head() -> None:
    head, _, _ = split()
    first = new("split: {b: [d, e]}", "a", "d", "e", "c")
    second = parse_taxonomy(
        'version: "3"\nreplaces: {version: "2", split: {d: [f, g]}}\n'
        "categories: [{id: a}, {id: f}, {id: g}, {id: e}, {id: c}]",
        "third",
    )
    assert not can_split(head, migrate([first, second]))


def test_a_bundle_of_a_new_head_is_read_back(tmp_path: Path) -> None:
    bundle = catalogs.make_bundle(str(tmp_path / "old"), architecture="squeezenet1_1")
    old = read_head(bundle, catalogs.LOCAL, torch.device("cpu"))
    d = old.weight.shape[1]
    head = Head(
        old.weight,
        old.bias,
        (("x", "y"), *old.rows[1:]),
        1.2,
        torch.randn(2, d),
        torch.randn(2),
    )
    leaves = ", ".join(f"{{id: {leaf}}}" for leaf in head.leaves)
    taxonomy = parse_taxonomy(f'version: "8"\ncategories: [{leaves}]', "taxonomy.yaml")
    uri = str(tmp_path / "run" / "bundle")

    write_head_bundle(uri, catalogs.LOCAL, bundle, NewHead(head, 0.7), taxonomy)

    again = read_bundle(uri, catalogs.LOCAL)
    assert again.info.leaves == head.leaves
    assert again.info.run_id == "run"
    found = read_head(again, catalogs.LOCAL, torch.device("cpu"))
    vectors = torch.randn(4, d).half()
    torch.testing.assert_close(found.probabilities(vectors), head.probabilities(vectors))
    load_classifier(again, catalogs.LOCAL)


@pytest.mark.parametrize("leaf", ["shirt", "blouse"])
def test_a_new_head_keeps_the_reference_and_its_predictions_where_no_leaf_is_another(
    leaf: str, tmp_path: Path
) -> None:
    reference = sample(1, 60)
    bundle = catalogs.make_bundle(
        str(tmp_path / "old"), architecture="squeezenet1_1", reference=reference
    )
    old = read_head(bundle, catalogs.LOCAL, torch.device("cpu"))
    head = replace(old, rows=(leaf, *old.rows[1:]))
    leaves = ", ".join(f"{{id: {each}}}" for each in head.leaves)
    taxonomy = parse_taxonomy(f'version: "8"\ncategories: [{leaves}]', "taxonomy.yaml")
    uri = str(tmp_path / "run" / "bundle")

    write_head_bundle(uri, catalogs.LOCAL, bundle, NewHead(head, 0.7), taxonomy)

    kept = read_reference(read_bundle(uri, catalogs.LOCAL), catalogs.LOCAL)
    assert kept is not None
    assert kept.table["embedding"].equals(reference.table["embedding"])
    assert (kept.category_ids == reference.category_ids) is (leaf == "shirt")


def test_a_merge_carries_the_old_head(tmp_path: Path) -> None:
    bundle = catalogs.make_bundle(str(tmp_path), architecture="squeezenet1_1")
    merged = parse_taxonomy(
        'version: "8"\nreplaces: {version: "7", merged: {wear: [shirt, knitwear]}}\n'
        "categories: [{id: wear}, {id: trousers}, {id: skirt}, {id: shoes}]",
        "new",
    )
    carried = carry_head(bundle, migrate([bundle.taxonomy, merged]), catalogs.LOCAL)

    assert carried.head.rows == ("wear", "wear", "trousers", "skirt", "shoes")
    assert carried.threshold == pytest.approx(bundle.info.threshold)

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
import torch

from lib.catalog.catalog import CatalogConfig
from lib.errors import InputError
from lib.models.choice import choose_model
from lib.models.config import ModelConfig
from lib.schemas import ITEM_SCHEMA
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from pipelines.train_adapt import adapt_fitted, describe_adaptation, read_unlabelled
from pipelines.train_config import TrainRun
from pipelines.train_head import fit_best_head, scored_by
from pipelines.train_labelled import Labelled
from tests.helpers.embedded import LEAVES, draw

STORAGE = Storage(StorageConfig())


def items_named(names: list[str]) -> pa.Table:
    columns = {"item_id": names, "uri": [f"/{name}.jpg" for name in names]}
    return pa.table(
        [pa.array(columns.get(each.name, [None] * len(names)), each.type) for each in ITEM_SCHEMA],
        schema=ITEM_SCHEMA,
    )


def labelled(count: int, held_out: int = 0) -> Labelled:
    vectors, targets = draw(count, 1)
    names = [f"{number:03d}" for number in range(count)]
    return Labelled(
        items=items_named(names), vectors=vectors, targets=targets, photos=names,
        held_out=held_out, unusable=[],
    )  # fmt: skip


def test_the_head_of_a_fold_learns_nothing_from_the_fold() -> None:
    given, (unlabelled, _) = labelled(40), draw(2_000, 2)
    head = fit_best_head(given, LEAVES)
    scored = scored_by(head, given)
    knows_nothing = replace(scored, logits=torch.zeros_like(scored.logits))  # all else is better
    adapted, _, _ = adapt_fitted(head, knows_nothing, given, unlabelled)

    inside = head.folds == 0
    other = replace(given, targets=given.targets.clone(), vectors=given.vectors.clone())
    other.targets[inside] = (other.targets[inside] + 1) % LEAVES
    other.vectors[inside] = other.vectors[inside].flip(0)
    again, _, _ = adapt_fitted(head, knows_nothing, other, unlabelled)

    assert not torch.equal(adapted.rows[0], again.rows[0])
    assert not torch.equal(adapted.by_fold[1][0], again.by_fold[1][0])
    for before, after in zip(adapted.by_fold[0], again.by_fold[0], strict=True):
        torch.testing.assert_close(before, after)


def test_given_held_out_items_judge_the_adapted_head() -> None:
    given, (unlabelled, _) = labelled(212, held_out=200), draw(2_000, 2)
    head = fit_best_head(given, LEAVES)
    adapted, scored, found = adapt_fitted(head, scored_by(head, given), given, unlabelled)
    assert found.items == 200
    assert adapted.by_fold == []
    assert found.kept
    assert not torch.equal(adapted.rows[0], head.rows[0])
    torch.testing.assert_close(scored.logits, scored_by(adapted, given).logits)
    described = describe_adaptation(head, found)
    assert described["adaptation"] == found.sentence
    assert described["pseudo_labels"] == found.pseudo_labels


def test_photos_unlike_all_that_is_labelled_leave_the_head_as_it_was() -> None:
    given, (other, _) = labelled(150, held_out=120), draw(600, 2)
    head = fit_best_head(given, LEAVES)
    before = scored_by(head, given)
    misleading = -20 * other + 40 * torch.randn(other.shape[1]).half()
    kept, scored, found = adapt_fitted(head, before, given, misleading)
    assert not found.kept
    assert kept is head
    assert scored is before
    assert list(describe_adaptation(head, found)) == ["adaptation"]


def run_file(folder: Path, names: list[str], weights: str | None = None) -> TrainRun:
    rows = ["item_id,uri,category_id", *(f"{name},/{name}.jpg,none" for name in names)]
    (folder / "shop.csv").write_text("\n".join(rows) + "\n")
    return TrainRun(
        taxonomy="taxonomy.yaml",
        catalog=CatalogConfig(uri="labelled.csv"),
        adapt=CatalogConfig(uri=str(folder / "shop.csv")),
        model=ModelConfig(weights=weights),
    )


def test_labelled_items_are_none_of_the_unlabelled(tmp_path: Path) -> None:
    config = run_file(tmp_path, ["a", "b", "c", "d"])
    model = choose_model(config.model)
    found = read_unlabelled(config, model, items_named(["a"]), items_named(["d"]), STORAGE)
    assert found is not None
    assert found["item_id"].to_pylist() == ["b", "c"]


def test_a_catalog_of_labelled_photos_alone_is_refused(tmp_path: Path) -> None:
    config = run_file(tmp_path, ["a", "b"])
    model = choose_model(config.model)
    with pytest.raises(InputError, match=r"adapt: all photos of .*shop\.csv are labelled ones"):
        read_unlabelled(config, model, items_named(["a", "b"]), items_named([]), STORAGE)


def test_a_network_without_weights_is_refused(tmp_path: Path) -> None:
    config = run_file(tmp_path, ["a"], weights="none")
    model = choose_model(config.model)
    with pytest.raises(InputError, match="adapt: a network without weights"):
        read_unlabelled(config, model, items_named(["b"]), items_named([]), STORAGE)


def test_without_the_key_nothing_is_read(tmp_path: Path) -> None:
    config = run_file(tmp_path, ["a"]).model_copy(update={"adapt": None})
    model = choose_model(config.model)
    assert read_unlabelled(config, model, items_named(["b"]), items_named([]), STORAGE) is None

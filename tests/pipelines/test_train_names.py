"""Names in a training: judged on the items that judge the head, and used where they help."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from lib.evaluation.held_out import calibrate
from lib.labels.promises import Accept
from lib.schemas import ITEM_SCHEMA
from lib.taxonomy.taxonomy import Category, Taxonomy
from pipelines.train_embed import Labelled
from pipelines.train_head import fit_best_head, scored_by
from pipelines.train_names import Promise, TrainedNames, decide, judged_together, train_names
from tests.helpers.embedded import LEAVES, draw

WORDS = ("shirt", "shoe", "watch", "scarf")
TAXONOMY = Taxonomy(version="1", categories=tuple(Category(each, each, None) for each in WORDS))
PROMISE = Promise(taxonomy=TAXONOMY, accept=Accept(precision=0.9))


def labelled(count: int, *, held_out: int, titles: str) -> Labelled:
    """Draw items; titles are `telling`, `useless`, `some` (every second is missing) or `none`."""
    vectors, targets = draw(count, seed=1, apart=0.25)
    random = np.random.default_rng(0)
    names: list[str | None] = []
    for row, target in enumerate(targets.tolist()):
        word = WORDS[target] if random.random() < 0.9 else WORDS[random.integers(LEAVES)]
        colour = ("red", "blue", "green")[random.integers(3)]
        is_there = titles in {"telling", "useless"} or (titles == "some" and row % 2 == 0)
        said = word if titles != "useless" else "thing"
        names.append(f"{colour} {said} {random.integers(1000)}" if is_there else None)
    ids = [f"item-{row}" for row in range(count)]
    columns = {
        "item_id": ids,
        "uri": [f"/{each}" for each in ids],
        "name": pa.array(names, pa.string()),
        "category_id": [WORDS[target] for target in targets.tolist()],
    }
    filled = [columns.get(f.name, pa.nulls(count, f.type)) for f in ITEM_SCHEMA]
    return Labelled(
        items=pa.table(filled, schema=ITEM_SCHEMA),
        vectors=vectors,
        targets=targets,
        photos=ids,
        held_out=held_out,
        unusable=[],
    )


def trained(items: Labelled) -> TrainedNames | None:
    head = fit_best_head(items, LEAVES)
    scored = scored_by(head, items)
    image = calibrate(scored, TAXONOMY, PROMISE.accept)
    folds = head.folds[head.judged] if head.by_fold else None
    names = train_names(items, head.judged, folds, image, PROMISE)
    used = judged_together(image, names, scored.targets, PROMISE)
    probabilities = torch.from_numpy(image.probabilities).float().numpy()
    chosen = names if names and names.judged.used else None
    fused, decided = decide(probabilities, image, chosen, TAXONOMY)
    assert decided.num_rows == len(fused) == used.evaluation.items
    if chosen is None:
        assert np.array_equal(fused, probabilities)
        assert used is image
    return names


@pytest.mark.parametrize("held_out", [0, 150])
def test_telling_titles_make_labels_better(held_out: int) -> None:
    names = trained(labelled(450, held_out=held_out, titles="telling"))

    assert names
    assert names.judged.used
    assert names.judged.both_right > names.judged.image_right
    assert names.judged.both_right >= names.judged.name_right - 3
    assert names.judged.items == (held_out or 450)


def test_useless_titles_are_judged_and_not_used() -> None:
    names = trained(labelled(450, held_out=150, titles="useless"))

    assert names
    assert not names.judged.used
    assert "are not used" in names.judged.sentence


def test_items_without_a_title_are_judged_by_their_image() -> None:
    names = trained(labelled(450, held_out=150, titles="some"))

    assert names
    assert names.judged.items == 75
    assert names.judged.named.sum() == 75


def test_without_titles_there_is_nothing_to_judge() -> None:
    names = trained(labelled(450, held_out=150, titles="none"))

    assert names is None

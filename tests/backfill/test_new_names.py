"""Names under a new taxonomy: carried over as a head's rows are, and used for each row."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from lib.backfill.head_bundle import carry_head, write_head_bundle
from lib.backfill.score_unit import Scorer
from lib.models.bundle import Bundle, read_bundle
from lib.models.head import read_head
from lib.names.labeller import labeller_of
from lib.names.part import read_names
from lib.taxonomy.migration import migrate
from lib.taxonomy.taxonomy import parse_taxonomy
from tests.helpers import catalogs
from tests.helpers.named import LEAVES, make_named_bundle

MERGED = """\
version: "8"
replaces: {version: "7", merged: {tops: [shirt, knitwear]}, renamed: {shoes: footwear}}
categories: [{id: tops}, {id: trousers}, {id: skirt}, {id: footwear}]
"""
NAMES = [f"a {leaf}" for leaf in LEAVES] + ["", None]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_named_bundle(tmp_path_factory.mktemp("old"), (0.4, 0.8), both=0.0)


@pytest.fixture(scope="module")
def moved(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    migration = migrate([catalogs.TAXONOMY, parse_taxonomy(MERGED, "taxonomy.yaml")])
    head = carry_head(bundle, migration, catalogs.LOCAL)
    uri = str(tmp_path_factory.mktemp("new") / "run" / "bundle")
    write_head_bundle(uri, catalogs.LOCAL, bundle, head, migration.new)
    return read_bundle(uri, catalogs.LOCAL)


def test_what_a_name_said_of_merged_categories_adds_up(bundle: Bundle, moved: Bundle) -> None:
    old, new = (read_names(each, catalogs.LOCAL) for each in (bundle, moved))
    assert old
    assert new

    before, after = (each.probabilities(NAMES)[0] for each in (old, new))

    def of(found: np.ndarray[tuple[int, int], np.dtype[np.float32]], *leaves: str) -> object:
        columns = [old.leaves.index(each) for each in leaves]
        return pytest.approx(found[:, columns].sum(axis=1), abs=1e-6)

    assert after[:, new.leaves.index("tops")] == of(before, "shirt", "knitwear")
    assert after[:, new.leaves.index("footwear")] == of(before, "shoes")
    assert after[:, new.leaves.index("skirt")] == of(before, "skirt")


def test_weights_are_carried_and_thresholds_stay(bundle: Bundle, moved: Bundle) -> None:
    assert bundle.info.names
    assert moved.info.names
    assert moved.info.names.image_weight == bundle.info.names.image_weight
    assert moved.info.names.both.threshold == bundle.info.names.both.threshold
    assert moved.info.names.both.claims == ()


def test_embeddings_are_decided_on_beside_the_rows_names(moved: Bundle) -> None:
    head = read_head(moved, catalogs.LOCAL, torch.device("cpu"))
    labeller = labeller_of(moved, catalogs.LOCAL)
    # of the size of real ones; as many as are decided on in several pieces
    drawn = torch.rand(5_000, head.weight.shape[1], generator=torch.Generator().manual_seed(0))
    vectors = drawn.half().numpy()
    names = (NAMES * 1_000)[: len(vectors)]

    rows = Scorer(head, moved.decider, labeller).score(vectors, pa.chunked_array([names]))

    image = head.probabilities(torch.from_numpy(vectors)).numpy()
    named = labeller.read(names)
    assert named
    expected = named.fused(range(len(names)), image).argmax(axis=1)
    best = [top[0]["category_id"] for top in rows["top_k"].to_pylist()]
    assert best == [head.leaves[each] for each in expected]
    without = [name in ("", None) for name in names]
    plain = Scorer(head, moved.decider).score(vectors)
    assert rows.filter(pa.array(without)).equals(plain.filter(pa.array(without)))


def test_a_head_without_names_leaves_none_in_its_bundle(bundle: Bundle, tmp_path: Path) -> None:
    migration = migrate([catalogs.TAXONOMY, parse_taxonomy(MERGED, "taxonomy.yaml")])
    head = replace(carry_head(bundle, migration, catalogs.LOCAL), names=None)
    uri = str(tmp_path / "run" / "bundle")

    write_head_bundle(uri, catalogs.LOCAL, bundle, head, migration.new)

    again = read_bundle(uri, catalogs.LOCAL)
    assert again.info.names is None
    assert "names.safetensors" not in again.info.digests

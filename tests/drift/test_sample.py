import numpy as np
import pyarrow as pa

from lib.drift.sample import SAMPLE_ITEMS, Sampler, read_sample, together
from lib.embeddings.store import to_matrix, to_table
from tests.helpers import catalogs
from tests.helpers.samples import sample

IDS = [f"item-{n}" for n in range(6_000)]


def embeddings(rows: pa.Table) -> pa.Table:
    """One embedding a row, which says whose it is."""
    numbers = [float(uri.rsplit("-", 1)[1]) for uri in rows["uri"].to_pylist()]
    values = np.array([[number // 64, number % 64] for number in numbers], np.float16)
    return to_table(rows["uri"], rows["etag"], values)


def test_a_sample_is_the_same_whatever_order_the_rows_come_in() -> None:
    rows = catalogs.label_rows(IDS)
    whole, shuffled = Sampler(), Sampler()
    whole.add(rows)
    for start in range(len(IDS) - 500, -1, -500):
        shuffled.add(rows.slice(start, 500))

    assert len(whole.sample) == SAMPLE_ITEMS
    assert whole.sample.table.equals(shuffled.sample.table)


def test_each_item_of_a_sample_has_its_own_embedding() -> None:
    rows = catalogs.label_rows(IDS[:3_000])
    sampler = Sampler()
    sampler.add(rows)
    kept = embeddings(rows)
    passed = list(sampler.watch(kept.slice(start, 700) for start in range(0, 3_000, 700)))

    assert pa.concat_tables(passed).equals(kept)
    found = sampler.sample
    assert found.embeddings is not None
    numbers = (found.embeddings @ np.array([64, 1], np.float32)).astype(int)
    assert [f"item-{n}" for n in numbers] == found.table["item_id"].to_pylist()


def test_errors_are_not_sampled() -> None:
    sampler = Sampler()
    sampler.add(catalogs.label_rows(["a", "b", "c"], broken=["b"]))

    assert sorted(sampler.sample.table["item_id"].to_pylist()) == ["a", "c"]


def test_a_run_of_nothing_has_an_empty_sample_that_can_be_read_again() -> None:
    found = read_sample(Sampler().sample.to_parquet())

    assert len(found) == 0
    assert found.embeddings is None


def test_a_sample_that_is_read_again_is_the_same() -> None:
    written = sample(1, 300)

    read = read_sample(written.to_parquet())

    assert read.table.equals(written.table)
    assert read.embeddings is not None
    assert to_matrix(written.table["embedding"].combine_chunks()).tolist() == (
        read.embeddings.tolist()
    )


def test_several_samples_are_one_of_the_same_size_with_what_all_of_them_have() -> None:
    both = together([sample(1, 1_500), sample(2, 1_500, embeddings=False)])

    assert both is not None
    assert len(both) == SAMPLE_ITEMS
    assert {item_id[0] for item_id in both.table["item_id"].to_pylist()} == {"1", "2"}
    assert both.embeddings is None
    assert both.confidences is not None


def test_a_sample_of_nothing_takes_no_embeddings_from_the_others() -> None:
    both = together([sample(1, 100), Sampler().sample])

    assert both is not None
    assert both.embeddings is not None


def test_without_predictions_the_embeddings_stay() -> None:
    stripped = read_sample(sample(1, 300).without_predictions.to_parquet())

    assert stripped.category_ids is None
    assert stripped.confidences is None
    assert stripped.embeddings is not None

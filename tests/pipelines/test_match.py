import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

from lib.catalog.catalog import CatalogConfig, read_catalog
from lib.embeddings.store import EmbeddingStore, embeddings_schema, to_table
from pipelines.match_inputs import places_of
from tests.helpers import catalogs
from tests.helpers.catalogs import LOCAL
from tests.helpers.jobs import run_job, told_by
from tests.matching import made

DIGEST, OTHER = "a" * 64, "b" * 64
COUNT = 300

Rows = Sequence[Mapping[str, str]]


def write_csv(path: Path, rows: Rows) -> str:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def items(kind: str, titles: Sequence[str]) -> list[dict[str, str]]:
    return [
        {"item_id": f"{kind}{n:04d}", "uri": f"/nowhere/{kind}{n:04d}.jpg", "name": title}
        for n, title in enumerate(titles)
    ]


def embed(folder: Path, kind: str, vectors: np.ndarray[Any, Any], digest: str = DIGEST) -> str:
    uris = pa.chunked_array([[f"/nowhere/{kind}{n:04d}.jpg" for n in range(len(vectors))]])
    table = to_table(uris, pa.chunked_array([pa.nulls(len(vectors), pa.string())]), vectors)
    assert table.schema == embeddings_schema(vectors.shape[1])
    EmbeddingStore(str(folder), digest, LOCAL).append(kind, [table])
    return str(folder)


def write_run(tmp_path: Path, left: Rows, right: Rows | None = None, **keys: Any) -> str:  # noqa: ANN401
    described: dict[str, Any] = {
        "output": str(tmp_path / "runs"),
        "run_id": "match",
        "left": {"uri": write_csv(tmp_path / "left.csv", left)},
        "embeddings": None,
        **keys,
    }
    if right is not None:
        described["right"] = {"uri": write_csv(tmp_path / "right.csv", right)}
    path = tmp_path / "match.yaml"
    path.write_text(yaml.safe_dump(described))
    return str(path)


def read(tmp_path: Path, name: str) -> list[dict[str, Any]]:
    return parquet.read_table(tmp_path / "runs/match" / name).to_pylist()  # type: ignore[no-any-return]


TITLES = made.products(COUNT)
VARIANTS = [made.variant(title, seed) for seed, title in enumerate(TITLES)]
LABELLED = [
    {"left_id": f"l{n:04d}", "right_id": f"r{m:04d}", "same": str(int(n == m))}
    for n in range(COUNT)
    for m in (n, (n + 7) % COUNT)
]


def test_a_feed_is_matched_by_names_alone_and_each_item_is_one_row(tmp_path: Path) -> None:
    right = [row | {"category_id": f"c{n % 3}"} for n, row in enumerate(items("r", VARIANTS))]
    left = [*items("l", TITLES), {"item_id": "x", "uri": "/nowhere/x.jpg", "name": ""}]
    run_file = write_run(tmp_path, left, right, unit_size=100)

    result = run_job("match", run_file, "--json")

    assert result.exit_code == 0, result.output
    told = told_by(result.stdout)
    assert (told["state"], told["items"], told["errors"]) == ("matched", COUNT + 1, 1)
    rows = read(tmp_path, "matches.parquet")
    assert [row["left_id"] for row in rows] == [row["item_id"] for row in left]
    found = [row for row in rows[:-1] if row["right_id"] == f"r{row['left_id'][1:]}"]
    assert len(found) >= 0.99 * COUNT
    assert all(row["category_id"] == f"c{int(row['right_id'][1:]) % 3}" for row in found)
    assert all(row["category_score"] == row["final_score"] for row in found)
    assert rows[-1]["error"] == "nothing_to_compare"
    assert rows[-1]["right_id"] is None
    pairs = read(tmp_path, "pairs.parquet")
    assert {row["band"] for row in pairs} <= {"same", "review", "different"}
    assert all(row["image_score"] is None for row in pairs)
    assert "promise nothing" in result.output


def test_labelled_pairs_promise_a_precision_that_fresh_pairs_keep(tmp_path: Path) -> None:
    run_file = write_run(tmp_path, items("l", TITLES), items("r", VARIANTS), candidates=3)
    assert run_job("match", run_file, "--set", "run_id=first").exit_code == 0
    # a person labels what a first run has found, and what it has found to be unlike
    found = parquet.read_table(tmp_path / "runs/first/pairs.parquet").to_pylist()
    labels = write_csv(
        tmp_path / "pairs.csv",
        [
            {key: row[key] for key in ("left_id", "right_id")}
            | {"same": str(int(row["left_id"][1:] == row["right_id"][1:]))}
            for row in [*found, *LABELLED]
            if row["left_id"] < "l0200"
        ],
    )

    result = run_job("match", run_file, "--set", f"pairs={labels}")

    assert result.exit_code == 0, result.output
    fresh = [row for row in read(tmp_path, "pairs.parquet") if row["left_id"] >= "l0200"]
    same = [row for row in fresh if row["band"] == "same"]
    right = [row for row in same if row["left_id"][1:] == row["right_id"][1:]]
    assert len(right) >= 0.9 * len(same)
    assert len(same) >= 80
    page = (tmp_path / "runs/match/report.html").read_text()
    assert "labelled pairs" in page
    assert "l0" in page


def test_one_catalog_is_matched_with_itself_each_pair_once_and_clusters_are_complete(
    tmp_path: Path,
) -> None:
    thrice = [title for title in TITLES[:50] for _ in range(3)] + TITLES[50:]
    run_file = write_run(tmp_path, items("i", thrice), unit_size=64)

    result = run_job("match", run_file)

    assert result.exit_code == 0, result.output
    pairs = {(row["left_id"], row["right_id"]): row for row in read(tmp_path, "pairs.parquet")}
    assert all(left < right for left, right in pairs)
    clusters: dict[int, list[int]] = {}
    for row in read(tmp_path, "clusters.parquet"):
        clusters.setdefault(row["cluster"], []).append(int(row["item_id"][1:]))
    assert sorted(clusters.values()) == [[3 * n, 3 * n + 1, 3 * n + 2] for n in range(50)]


def test_embeddings_of_both_sides_are_compared_where_there_are_no_names(tmp_path: Path) -> None:
    dice = np.random.default_rng(0)
    vectors = dice.normal(size=(COUNT, 16)).astype(np.float16)
    near = (vectors + 0.01 * dice.normal(size=vectors.shape)).astype(np.float16)
    embed(tmp_path / "mine", "l", vectors)
    embed(tmp_path / "theirs", "r", near)
    run_file = write_run(
        tmp_path,
        items("l", [""] * COUNT),
        items("r", [""] * COUNT),
        embeddings=str(tmp_path / "mine"),
        right_embeddings=str(tmp_path / "theirs"),
    )

    result = run_job("match", run_file)

    assert result.exit_code == 0, result.output
    rows = read(tmp_path, "matches.parquet")
    assert [row["right_id"][1:] for row in rows] == [row["left_id"][1:] for row in rows]
    assert all(row["image_score"] > 0.99 for row in read(tmp_path, "pairs.parquet")[:1])


@pytest.mark.processes
def test_pictures_that_are_copies_are_seen_where_the_run_file_asks_for_it(tmp_path: Path) -> None:
    files = catalogs.pictures(3)
    catalogs.write_catalog(str(tmp_path / "mine"), files)
    catalogs.write_catalog(str(tmp_path / "theirs"), files)
    store = EmbeddingStore(str(tmp_path / "embeddings"), DIGEST, LOCAL)
    for side in ("mine", "theirs"):
        frozen = read_catalog(CatalogConfig(uri=str(tmp_path / side)), LOCAL)
        # all are as alike as pictures of other shops may be
        vectors = np.array([[1, 0.6 * (side == "theirs")]] * 3, np.float16)
        store.append(side, [to_table(frozen["uri"], frozen["etag"], vectors)])
    run_file = write_run(
        tmp_path, items("l", TITLES[:1]), embeddings=str(tmp_path / "embeddings"), near_copies=True
    )
    sides = [f"left.uri={tmp_path / 'mine'}", f"right={{uri: {tmp_path / 'theirs'}}}"]

    result = run_job("match", run_file, "--set", sides[0], "--set", sides[1])

    assert result.exit_code == 0, result.output
    rows = read(tmp_path, "matches.parquet")
    assert [Path(row["right_id"]).name for row in rows] == [
        Path(row["left_id"]).name for row in rows
    ]
    page = (tmp_path / "runs/match/report.html").read_text()
    assert page.count("<img") >= 2


def test_titles_of_all_kinds_are_rows_and_nothing_else(tmp_path: Path) -> None:
    titles = [
        "",
        "a" * 10_000,
        "👟👟",
        "שלום עולם 250 ml",
        "Стол дуб black 5 cm",
        "\u202eabc\u202c",
    ]
    run_file = write_run(
        tmp_path, items("l", titles), items("r", titles[::-1]), gates={"max_error_rate": None}
    )

    result = run_job("match", run_file)

    assert result.exit_code == 0, result.output
    rows = {row["left_id"]: row for row in read(tmp_path, "matches.parquet")}
    assert [row["error"] for row in rows.values()].count("nothing_to_compare") == 2
    for n in (1, 3, 4, 5):
        assert rows[f"l{n:04d}"]["right_id"] == f"r{5 - n:04d}"


def test_a_run_whose_gate_refuses_it_says_which_and_again_when_asked_again(tmp_path: Path) -> None:
    run_file = write_run(tmp_path, items("l", ["", "", "mug"]), items("r", ["mug", "cup"]))

    first, again = run_job("match", run_file), run_job("match", run_file)

    assert (first.exit_code, again.exit_code) == (3, 3)
    assert "gates.max_error_rate: 66.7% of the items have nothing to compare" in first.output
    assert "gates.max_error_rate" in again.output
    assert "Refused" in (tmp_path / "runs/match/report.html").read_text()


def test_a_dry_run_says_how_much_and_how_long_and_writes_nothing(tmp_path: Path) -> None:
    run_file = write_run(tmp_path, items("l", TITLES), items("r", VARIANTS))

    result = run_job("match", run_file, "--dry-run", "--json")

    assert result.exit_code == 0, result.output
    assert f"{COUNT} items against {COUNT}" in result.output
    assert "nothing was written" in result.output
    assert json.loads(result.stdout.splitlines()[-1])["items"] == COUNT
    assert not (tmp_path / "runs").exists()


def test_the_same_run_with_other_labelled_pairs_is_refused(tmp_path: Path) -> None:
    labels = tmp_path / "pairs.csv"
    write_csv(labels, LABELLED)
    run_file = write_run(tmp_path, items("l", TITLES), items("r", VARIANTS), pairs=str(labels))
    assert run_job("match", run_file).exit_code == 0
    write_csv(labels, LABELLED[:-1])

    result = run_job("match", run_file)

    assert result.exit_code == 2
    assert "scoring was" in result.output


@pytest.mark.parametrize(
    ("keys", "names", "said"),
    [
        ({}, "", "there is nothing to match by: no item here has a name, and no embeddings are"),
        ({"pairs": "contradicting"}, "mug", "line 3 contradicts line 2: 'l0000' and 'r0000'"),
        ({"pairs": "unknown"}, "mug", "the right catalog has no item 'r9999'"),
        ({"pairs": "absent"}, "mug", "absent.csv"),
        ({"embeddings": "of_two"}, "mug", "embeddings of 2 backbones"),
        ({"embeddings": "mine", "right_embeddings": "theirs"}, "mug", "different backbones"),
        ({"candidates": 0}, "mug", "'candidates'"),
    ],
)
def test_what_cannot_be_matched_is_refused_in_one_sentence(
    tmp_path: Path, keys: dict[str, Any], names: str, said: str
) -> None:
    vectors = np.ones((1, 4), np.float16)
    for folder, digest in (
        ("mine", DIGEST),
        ("theirs", OTHER),
        ("of_two", DIGEST),
        ("of_two", OTHER),
    ):
        embed(tmp_path / folder, "l", vectors, digest)
    one = {"left_id": "l0000", "right_id": "r0000", "same": "1"}
    write_csv(tmp_path / "contradicting.csv", [one, one | {"same": "0"}])
    write_csv(tmp_path / "unknown.csv", [*LABELLED, one | {"right_id": "r9999"}])
    if "pairs" in keys:
        keys = keys | {"pairs": str(tmp_path / f"{keys['pairs']}.csv")}
    for key in {"embeddings", "right_embeddings"} & keys.keys():
        keys = keys | {key: str(tmp_path / keys[key])}
    titles = [names] * COUNT
    run_file = write_run(tmp_path, items("l", titles), items("r", titles), **keys)

    result = run_job("match", run_file)

    assert result.exit_code == 2, result.output
    assert said in result.output
    assert len([line for line in result.stderr.splitlines() if line]) == 1
    assert not (tmp_path / "runs").exists()


def test_the_places_of_no_items_are_none() -> None:
    known = pa.table({"item_id": ["a", "b"]})
    assert places_of([], known).to_pylist() == []
    assert places_of(["b"], known).to_pylist() == [1]

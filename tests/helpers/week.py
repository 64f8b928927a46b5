"""A catalog for a week at the desk: titles say what is on photos, and a bundle that errs."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml

from lib.backfill.score_unit import scorer_of
from lib.embeddings.store import EmbeddingStore, to_table
from lib.schemas import LABELS_SCHEMA
from lib.search.query import ImageEmbedder
from tests.helpers.catalogs import (
    LOCAL,
    TAXONOMY,
    TAXONOMY_YAML,
    draw,
    encode,
    label_rows,
    make_bundle,
    read_items,
    write_catalog,
)
from tests.helpers.searched import publish

# the ground that each leaf's photos have
COLOURS = ((200, 40, 40), (40, 160, 60), (50, 70, 200), (230, 200, 40), (150, 60, 170))
LEAVES = TAXONOMY.leaves
NAMES = {leaf: TAXONOMY.by_id[leaf].name for leaf in LEAVES}


def title_of(number: int) -> str:
    """Return the title of an item: what is on its photo, and its number."""
    return f"{NAMES[LEAVES[number % len(LEAVES)]]} {number:03d}"


def truth(title: str) -> str:
    """Return the category that a title tells of."""
    return LEAVES[int(title[-3:]) % len(LEAVES)]


def make_week(folder: Path, count: int = 90, accepted: int = 12) -> Path:
    """Make a classified catalog, its run files and a desk's; return the desk's run file.

    An untrained bundle has labelled it, and is wrong most often. The last items are accepted, and
    rightly so; all others are for review.
    """
    bundle = make_bundle(str(folder / "bundle"))
    files = {
        f"{n:03d}.png": encode(draw(n, COLOURS[n % len(COLOURS)]), "png") for n in range(count)
    }
    manifest = write_catalog(str(folder / "images"), files)
    _name(Path(manifest))
    items = read_items(manifest)
    embedder = ImageEmbedder(bundle, LOCAL)
    vectors = np.stack([embedder.embed(uri) for uri in items["uri"].to_pylist()])
    store = EmbeddingStore(str(folder / "embeddings"), bundle.backbone_digest, LOCAL)
    store.append("night", [to_table(items["uri"], items["etag"], vectors)])
    scored = scorer_of(bundle, LOCAL).score(vectors.astype(np.float16)).to_pylist()
    rows = label_rows(items["item_id"].to_pylist(), run_id="night").to_pylist()
    for number, item in enumerate(items.to_pylist()):
        row = rows[number]
        row |= {"bundle_digest": bundle.digest, "classified_at": datetime.now(UTC)}
        row |= {key: item[key] for key in ("uri", "etag", "name")}
        row |= {key: scored[number][key] for key in ("confidence", "top_k")}
        best = row["top_k"][0]["category_id"]
        row |= {"category_id": best, "category_path": TAXONOMY.path(best), "decision": "review"}
        if number >= count - accepted:
            leaf = truth(item["name"])
            row |= {"category_id": leaf, "category_path": TAXONOMY.path(leaf)}
            row["decision"] = "accept"
    publish(folder, pa.Table.from_pylist(rows, schema=LABELS_SCHEMA), bundle.made)
    (folder / "taxonomy.yaml").write_text(TAXONOMY_YAML)
    return _write_run_files(folder, manifest)


def _name(manifest: Path) -> None:
    """Put titles into a manifest."""
    with manifest.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with manifest.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "name"])
        writer.writeheader()
        writer.writerows({**row, "name": title_of(n)} for n, row in enumerate(rows))


def _write_run_files(folder: Path, manifest: str) -> Path:
    tables = {"labels_table": str(folder / "labels"), "embeddings": str(folder / "embeddings")}
    common = {
        **tables,
        "output": str(folder / "runs"),
        "bundle": str(folder / "bundle"),
        # people correct most of what an untrained bundle said
        "gates": {"max_category_changes": None, "max_mix_shift": None},
        "engine": {
            "device": "cpu",
            "runtime": "torch",
            "precision": "fp32",
            "actors": 1,
            "cpus_per_actor": 1,
            "batch_size": 32,
        },
    }
    night = {**common, "catalog": {"uri": manifest}}
    move = {**common, "taxonomy": str(folder / "taxonomy.yaml")}
    desk = {
        **tables,
        "runs": str(folder / "runs"),
        "taxonomy": str(folder / "taxonomy.yaml"),
        "reading": {"stores": [str(folder)]},
        "jobs": {"classify": str(folder / "night.yaml"), "backfill": str(folder / "move.yaml")},
    }
    for name, run_file in {"night": night, "move": move, "desk": desk}.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(run_file))
    return folder / "desk.yaml"

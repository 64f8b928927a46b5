"""What may lie in a folder of photos, or stand in a manifest, beside photos: a row each."""

import io
import os
import socket
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from deltalake import DeltaTable
from pyarrow import parquet

from tests.helpers import catalogs
from tests.helpers.jobs import run_job
from tests.helpers.web_site import serve

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240)]

PICTURE = catalogs.encode(catalogs.draw(1), "jpg")


def classify(
    folder: Path, catalog: Path, stores: list[str] | None = None
) -> dict[str, tuple[str | None, str | None]]:
    """Classify a catalog; return each item's error and its sentence, as the table has them."""
    catalogs.make_bundle(str(folder / "bundle"), architecture="squeezenet1_1")
    engine = {"device": "cpu", "precision": "fp32", "actors": 1, "cpus_per_actor": 1}
    described = {
        "output": str(folder / "runs"),
        "catalog": {"uri": str(catalog)},
        "bundle": str(folder / "bundle"),
        "labels_table": str(folder / "labels"),
        "embeddings": None,
        "engine": {**engine, "batch_size": 8, "unit_size": 8},
        "reading": {"stores": stores, "timeout_s": 5.0, "max_image_bytes": 1_000_000},
        "gates": {"max_error_rate": 1},
    }
    run_file = folder / "run.yaml"
    run_file.write_text(yaml.safe_dump(described))
    result = run_job("classify", str(run_file))
    assert result.exit_code == 0, result.output
    rows = pa.table(DeltaTable(str(folder / "labels")).to_pyarrow_table())
    errors = zip(rows["error"].to_pylist(), rows["error_detail"].to_pylist(), strict=True)
    return dict(zip(rows["item_id"].to_pylist(), errors, strict=True))


def test_a_manifests_uris_that_are_no_files_are_a_row_each(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(PICTURE)
    (photos / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(photos / "fifo.jpg")
    uris = {"good": "a.jpg", "loop": "loop.jpg", "nul": "a\0b.jpg", "fifo": "fifo.jpg"}
    uris |= {"device": "/dev/zero"}
    write_manifest(photos / "catalog.parquet", uris)
    errors = classify(tmp_path, photos / "catalog.parquet")
    assert errors["good"] == (None, None)
    assert errors["fifo"] == ("fetch_failed", f"{photos}/fifo.jpg is not a regular file")
    assert errors["device"] == ("fetch_failed", "/dev/zero is not a regular file")
    assert errors["loop"] == (
        "fetch_failed",
        f"a link that leads to itself, or to too many others: {photos}/loop.jpg",
    )
    assert errors["nul"] == (
        "fetch_failed",
        f"'{photos}/a\\x00b.jpg' is no path: embedded null byte",
    )


def write_manifest(path: Path, uris: dict[str, str]) -> None:
    file = io.BytesIO()
    parquet.write_table(pa.table({"item_id": list(uris), "uri": list(uris.values())}), file)
    path.write_bytes(file.getvalue())


def test_a_manifests_web_servers_cost_a_row_each(tmp_path: Path) -> None:
    with (
        serve(PICTURE) as site,
        serve(PICTURE) as secret,
        socket.create_server(("127.0.0.1", 0)) as mute,
    ):
        silent = f"http://127.0.0.1:{mute.getsockname()[1]}"
        uris = {
            "good": f"{site.url}/photo.jpg",
            "large": f"{site.url}/endless.jpg",
            "redirected": f"{site.url}/photo.jpg?{secret.url}/photo.jpg",
            "private": f"{secret.url}/photo.jpg",
            "chained": f"simplecache::{secret.url}/photo.jpg",
            "silent": f"{silent}/photo.jpg",
        }
        write_manifest(tmp_path / "catalog.parquet", uris)
        stores = [site.url, silent, "http://", f"simplecache::{secret.url}"]
        errors = classify(tmp_path, tmp_path / "catalog.parquet", stores)
        assert secret.asked == []
    assert {item_id: error for item_id, (error, _) in errors.items()} == {
        "good": None,
        "large": "too_large",
        "redirected": "outside_store",
        "private": "outside_store",
        "chained": "fetch_failed",
        "silent": "fetch_failed",
    }


def test_a_folders_files_that_cannot_be_read_are_a_row_each(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(PICTURE)
    (photos / "loop.jpg").symlink_to("loop.jpg")
    Path(os.fsdecode(bytes(photos) + b"/\xff.jpg")).write_bytes(PICTURE)
    errors = classify(tmp_path, photos)
    assert {item_id: error for item_id, (error, _) in errors.items()} == {
        "a.jpg": None,
        "loop.jpg": "fetch_failed",
        r"\xff.jpg": "fetch_failed",
    }

from pathlib import Path

import pytest

from lib.catalog.catalog import CatalogConfig, read_catalog
from lib.images.config import ReadingConfig
from lib.inference.classify_unit import UnitClassifier
from lib.inference.config import UnitJob
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from tests.helpers import catalogs


@pytest.mark.timeout(120)
def test_every_odd_broken_or_hostile_file_is_one_row_a_label_or_an_error(
    shared: Path, tmp_path: Path
) -> None:
    config = CatalogConfig(uri=str(shared / "data" / "hostile-images"), suffixes=("*",))
    items = read_catalog(config, Storage(StorageConfig()))
    bundle = catalogs.make_bundle(str(tmp_path / "bundle"))
    job = UnitJob(
        run=catalogs.run_at(tmp_path, run_id="run"),
        bundle_uri=bundle.uri,
        engine=catalogs.cpu_engine(32, threads=2),
        reading=ReadingConfig(threads=4),
    )

    rows, receipt = UnitClassifier(job).classify(items)

    assert rows["item_id"].to_pylist() == items["item_id"].to_pylist()
    assert rows["error"].is_valid().to_pylist() == rows["category_id"].is_null().to_pylist()
    assert receipt.labelled + sum(receipt.errors.values()) == items.num_rows > 300
    assert receipt.labelled > 300

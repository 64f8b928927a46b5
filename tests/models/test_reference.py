from pathlib import Path

import pytest

from lib.errors import InputError
from lib.models.bundle import read_bundle
from lib.models.reference import REFERENCE, read_reference
from tests.helpers import catalogs
from tests.helpers.samples import sample


def test_a_reference_is_read_back_with_its_bundle(tmp_path: Path) -> None:
    written = sample(1, 100)
    uri = catalogs.make_bundle(str(tmp_path), architecture="squeezenet1_1", reference=written).uri

    read = read_reference(read_bundle(uri, catalogs.LOCAL), catalogs.LOCAL)

    assert read is not None
    assert read.table.equals(written.table)


def test_a_bundle_of_an_older_version_has_none(tmp_path: Path) -> None:
    bundle = catalogs.make_bundle(str(tmp_path), architecture="squeezenet1_1")

    assert read_reference(bundle, catalogs.LOCAL) is None


def test_a_reference_of_another_bundle_is_refused_by_name(tmp_path: Path) -> None:
    bundle = catalogs.make_bundle(
        str(tmp_path), architecture="squeezenet1_1", reference=sample(1, 100)
    )
    (tmp_path / REFERENCE).write_bytes(sample(2, 100).to_parquet())

    with pytest.raises(InputError, match=REFERENCE):
        read_reference(bundle, catalogs.LOCAL)

"""A bundle's classifier of titles: read back as it was written, or refused in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lib.errors import InputError
from lib.hashing import digest_bytes
from lib.models.bundle import Bundle, read_bundle
from lib.models.bundle_tensors import pack, unpack
from lib.names.part import NAMES, read_names
from lib.names.text import VERSION
from tests.helpers import catalogs
from tests.helpers.named import LEAVES, fitted, make_named_bundle

WEIGHTS = fitted()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(make_named_bundle(tmp_path / "bundle").uri)


def opened(folder: Path) -> Bundle:
    return read_bundle(str(folder), catalogs.LOCAL)


def spoil(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    """Change the tensors, and the digest with them, as another program might write them."""
    tensors = unpack((folder / NAMES).read_bytes())
    change(tensors)
    replace_file(folder, pack(tensors))


def replace_file(folder: Path, data: bytes) -> None:
    (folder / NAMES).write_bytes(data)
    described = json.loads((folder / "bundle.json").read_text())
    described["digests"][NAMES] = digest_bytes(data)
    (folder / "bundle.json").write_text(json.dumps(described))


def test_what_was_written_is_read_back(bundle: Path) -> None:
    found = read_names(opened(bundle), catalogs.LOCAL)

    assert found
    assert (found.weights.weight != WEIGHTS.weight).nnz == 0
    probabilities, says = found.probabilities([*LEAVES, ""])
    best = [found.leaves[column] for column in probabilities.argmax(axis=1)]
    assert best[: len(LEAVES)] == list(LEAVES)
    assert says.tolist() == [True] * len(LEAVES) + [False]


def test_a_bundle_without_names_says_nothing_of_them(tmp_path: Path) -> None:
    made = catalogs.make_bundle(str(tmp_path), architecture="squeezenet1_1")

    assert read_names(made, catalogs.LOCAL) is None
    assert "names" not in json.loads((tmp_path / "bundle.json").read_text())


def test_another_bundles_file_is_refused(bundle: Path) -> None:
    (bundle / NAMES).write_bytes(b"other")
    with pytest.raises(InputError, match=r"names.safetensors is not the file that bundle.json"):
        read_names(opened(bundle), catalogs.LOCAL)


def test_a_file_that_is_not_there_is_refused(bundle: Path) -> None:
    (bundle / NAMES).unlink()
    with pytest.raises(InputError, match=r"the bundle lacks names.safetensors; copy the whole"):
        read_names(opened(bundle), catalogs.LOCAL)


@pytest.mark.parametrize("data", [b"", b"nothing of the kind", b"\xff" * 100])
def test_a_file_that_holds_no_tensors_is_refused(bundle: Path, data: bytes) -> None:
    replace_file(bundle, data)
    with pytest.raises(InputError, match=r"names.safetensors is damaged, or was made by another"):
        read_names(opened(bundle), catalogs.LOCAL)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.pop("bias"), "it lacks 'bias'"),
        (lambda t: t.update(bias=t["bias"][:-1].clone()), "'bias' is not 5 numbers of float32"),
        (lambda t: t["bias"].fill_(torch.nan), "'bias' holds a number that is not finite"),
        (lambda t: t["weights"].fill_(torch.inf), "'weights' holds a number that is not finite"),
        (lambda t: t.update(weights=t["weights"].float()), "numbers of float16"),
        (lambda t: t["columns"].fill_(5), "'columns' names categories that are none"),
        (lambda t: t["columns"].fill_(-1), "'columns' names categories that are none"),
        (lambda t: t["ends"][9:12].fill_(2**30), "'ends' does not divide the weights"),
        (lambda t: t["ends"].add_(1), "'ends' does not divide the weights"),
        (lambda t: t.update(ends=t["ends"][:9].clone()), "'ends' is not 65,537 numbers of int32"),
    ],
)
def test_tensors_that_no_training_makes_are_refused(
    bundle: Path, change: Callable[[dict[str, Tensor]], object], sentence: str
) -> None:
    spoil(bundle, change)
    with pytest.raises(InputError) as error:
        read_names(opened(bundle), catalogs.LOCAL)
    assert sentence in str(error.value)
    assert "copy the whole folder again, or train again" in str(error.value)


def test_titles_that_another_version_takes_apart_are_refused(bundle: Path) -> None:
    text = (bundle / "bundle.json").read_text()
    described = json.loads(text)
    described["names"]["version"] = VERSION + 1
    (bundle / "bundle.json").write_text(json.dumps(described))
    with pytest.raises(InputError, match=f"its names are of version {VERSION + 1}, and"):
        read_names(opened(bundle), catalogs.LOCAL)

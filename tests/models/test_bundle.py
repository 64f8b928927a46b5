import copy
import functools
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lib.errors import InputError
from lib.hashing import digest_bytes
from lib.images.preprocessing import Preprocessing
from lib.labels.decisions import NEVER
from lib.labels.promises import Accept, Claim
from lib.models.bundle import Bundle, BundleInfo, read_bundle
from lib.models.bundle_tensors import pack, unpack
from lib.models.bundle_weights import load_classifier, write_bundle
from lib.models.classifier import Classifier, build_classifier
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage
from lib.taxonomy.taxonomy import Taxonomy, parse_taxonomy

STORAGE = Storage(StorageConfig())
FILES = ["bundle.json", "model.safetensors", "taxonomy.yaml"]
PREPROCESSING = Preprocessing(size_px=32, fit="crop", mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
TAXONOMY = parse_taxonomy(
    "version: 3\ncategories:\n- {id: tops, children: [{id: shirt, name: Été}, {id: vest}]}\n"
    "- id: hats\n",
    "taxonomy.yaml",
)


@functools.cache
def made() -> Classifier:
    torch.manual_seed(5)
    classifier = build_classifier("shufflenet_v2_x0_5", 3, 32)
    classifier(torch.randn(8, 3, 32, 32))  # so that the batch norms have seen something
    return classifier


def make_classifier() -> Classifier:
    return copy.deepcopy(made())


def describe(**changes: object) -> BundleInfo:
    fields: dict[str, object] = {
        "run_id": "run-1",
        "architecture": "shufflenet_v2_x0_5",
        "weights": "none",
        "preprocessing": PREPROCESSING,
        "category_ids": TAXONOMY.leaves,
        "temperature": 1.25,
        "threshold": 0.7,
        "target_precision": 0.95,
        "metrics": {"validation_accuracy": 0.9},
    }
    return BundleInfo.model_validate({**fields, **changes})


def write(folder: Path, taxonomy: Taxonomy = TAXONOMY, **changes: object) -> Bundle:
    return write_bundle(str(folder), STORAGE, make_classifier(), taxonomy, describe(**changes))


def use(folder: Path) -> None:
    load_classifier(read_bundle(str(folder), STORAGE), STORAGE)


def digest_or_refusal(folder: Path) -> str:
    try:
        return read_bundle(str(folder), STORAGE).digest
    except InputError as error:
        return str(error)


def test_a_bundle_read_again_gives_identical_logits(tmp_path: Path) -> None:
    classifier = make_classifier().eval()
    write_bundle(str(tmp_path), STORAGE, classifier, TAXONOMY, describe())
    images = torch.randn(4, 3, 32, 32)
    loaded = load_classifier(read_bundle(str(tmp_path), STORAGE), STORAGE)
    assert not loaded.training
    with torch.no_grad():
        assert torch.equal(loaded(images), classifier(images))


@pytest.mark.networks
@pytest.mark.parametrize(
    "name",  # the last computes its widths; levit, of the older bundles, tables that no file has
    ["timm/tf_efficientnet_lite0", "squeezenet1_1", "regnet_y_400mf"],
)
def test_networks_of_each_kind_are_loaded_as_they_were_written(tmp_path: Path, name: str) -> None:
    classifier = build_classifier(name, 3, 64).eval()
    seen = PREPROCESSING.model_copy(update={"size_px": 64})
    described = describe(architecture=name, preprocessing=seen)
    write_bundle(str(tmp_path), STORAGE, classifier, TAXONOMY, described)
    images = torch.randn(2, 3, 64, 64)

    loaded = load_classifier(read_bundle(str(tmp_path), STORAGE), STORAGE)

    with torch.no_grad():
        assert torch.equal(loaded(images), classifier(images))


def rename(folder: Path, names: list[str], order: list[str]) -> None:
    """Give a bundle's tensors, taken in some order, other names."""
    tensors = unpack((folder / "model.safetensors").read_bytes())
    data = pack(dict(zip(names, (tensors[name] for name in order), strict=True)))
    (folder / "model.safetensors").write_bytes(data)
    description = json.loads((folder / "bundle.json").read_text())
    description["digests"]["model"] = digest_bytes(data)
    (folder / "bundle.json").write_text(json.dumps(description))


def test_tensors_that_another_version_calls_otherwise_are_known_by_their_order(
    tmp_path: Path,
) -> None:
    classifier = make_classifier().eval()
    write_bundle(str(tmp_path), STORAGE, classifier, TAXONOMY, describe())
    order = list(classifier.state_dict())
    # names whose alphabet is another order than the network's
    names = [f"backbone.{len(order) - n:04d}" for n in range(len(order) - 2)]
    rename(tmp_path, [*names, "head.weight", "head.bias"], order)

    loaded = load_classifier(read_bundle(str(tmp_path), STORAGE), STORAGE)

    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded(images), classifier(images))


def test_tensors_under_unknown_names_in_another_order_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    order = list(make_classifier().state_dict())
    names = [f"backbone.{n:04d}" for n in range(len(order) - 2)]
    rename(tmp_path, [*names, "head.weight", "head.bias"], [*order[-3::-1], *order[-2:]])

    with pytest.raises(
        InputError, match=r"does not fit.* \(the bundle was made with torchvision 0"
    ):
        use(tmp_path)


def test_a_bundle_read_again_says_what_was_written(tmp_path: Path) -> None:
    written = write(tmp_path)
    assert read_bundle(str(tmp_path), STORAGE) == written
    assert written.taxonomy == TAXONOMY


def test_a_bundle_is_three_files(tmp_path: Path) -> None:
    write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES


def test_the_same_bundle_has_the_same_digest_wherever_it_lies(tmp_path: Path) -> None:
    one, other = write(tmp_path / "one"), write(tmp_path / "other")
    assert one.digest == other.digest
    assert one.fingerprint == other.fingerprint
    assert one.fingerprint.keys() == {"bundle", "taxonomy", "preprocessing"}


def test_digests_differ_where_the_preprocessing_does(tmp_path: Path) -> None:
    changed = PREPROCESSING.model_copy(update={"fit": "pad"})
    one, other = write(tmp_path / "one"), write(tmp_path / "other", preprocessing=changed)
    assert one.digest != other.digest
    assert one.fingerprint["preprocessing"] != other.fingerprint["preprocessing"]
    assert one.fingerprint["taxonomy"] == other.fingerprint["taxonomy"]
    # the same network makes other embeddings of other pixels
    differing = {
        name for name in one.info.digests if one.info.digests[name] != other.info.digests[name]
    }
    assert differing == {"backbone"}


def test_the_backbones_digest_does_not_depend_on_the_head(tmp_path: Path) -> None:
    one = write(tmp_path / "one")
    classifier = make_classifier()
    torch.nn.init.ones_(classifier.head.weight)
    other = write_bundle(str(tmp_path / "other"), STORAGE, classifier, TAXONOMY, describe())
    assert one.info.digests["backbone"] == other.info.digests["backbone"]
    assert one.info.digests["model"] != other.info.digests["model"]


@pytest.mark.parametrize("name", ["model.safetensors", "taxonomy.yaml"])
@pytest.mark.parametrize("place", [0, 0.3, 0.999])
def test_a_changed_byte_is_refused_by_the_files_name(
    tmp_path: Path, name: str, place: float
) -> None:
    write(tmp_path)
    data = bytearray((tmp_path / name).read_bytes())
    data[int(place * len(data))] ^= 1
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=rf"{name} is not the file that bundle\.json describes"):
        use(tmp_path)


@pytest.mark.parametrize("bit", [1, 128])
def test_a_changed_byte_in_the_description_is_refused_or_makes_another_bundle(
    tmp_path: Path, bit: int
) -> None:
    written = write(tmp_path)
    description = tmp_path / "bundle.json"
    data = description.read_bytes()
    refused = 0
    for place in range(len(data)):
        description.write_bytes(data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :])
        outcome = digest_or_refusal(tmp_path)
        assert outcome != written.digest
        refused += outcome.startswith(str(tmp_path))
        assert len(outcome) == 64 or outcome.startswith(str(tmp_path)), outcome
    assert refused > len(data) * (0.6 if bit == 1 else 0.99)


@pytest.mark.parametrize("missing", FILES)
def test_half_a_bundle_is_refused(tmp_path: Path, missing: str) -> None:
    write(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(InputError, match=missing):
        use(tmp_path)


def test_a_folder_that_is_not_there_holds_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no bundle here"):
        read_bundle(str(tmp_path / "nothing"), STORAGE)


def test_a_bundle_whose_head_is_not_the_taxonomys_is_refused(tmp_path: Path) -> None:
    write(tmp_path, category_ids=("shirt", "vest", "shoes"))
    with pytest.raises(InputError, match="head's categories are not the taxonomy's leaves"):
        use(tmp_path)


def test_the_head_may_have_its_columns_in_another_order_than_the_taxonomy(tmp_path: Path) -> None:
    write(tmp_path, category_ids=("hats", "shirt", "vest"))
    assert read_bundle(str(tmp_path), STORAGE).info.category_ids == ("hats", "shirt", "vest")


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    write(tmp_path, architecture="squeezenet1_1", preprocessing=PREPROCESSING)
    with pytest.raises(InputError, match=r"model\.safetensors does not fit"):
        use(tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 2}, "the bundle is of format 2, and this version of Reshelve knows 1"),
        ({"temperature": 0}, ".*'temperature' should be more than 0, not 0"),
        ({"threshold": 1.5}, ".*'threshold' should be at most 1, not 1.5"),
        ({"colour": "red"}, ".*'colour' is not known here"),
        ({"preprocessing": {"size_px": 32}}, r".*'preprocessing\.fit' is missing"),
        (
            {"preprocessing": {**PREPROCESSING.model_dump(mode="json"), "size_px": 1_000_000}},
            r".*'preprocessing\.size_px' should be at most 2048, not 1000000",
        ),
    ],
)
def test_a_description_that_makes_no_sense_is_refused_by_key(
    tmp_path: Path, change: dict[str, object], says: str
) -> None:
    write(tmp_path)
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(InputError, match=rf"bundle\.json: {says}"):
        use(tmp_path)


def test_a_bundle_decides_by_the_thresholds_that_it_was_written_with(tmp_path: Path) -> None:
    accept = Accept(precision=0.9, mode="strict")
    claim = Claim(
        group="all categories",
        category_ids=TAXONOMY.leaves,
        threshold=0.75,
        items=30,
        accepted=20,
        right=20,
        low=0.86,
        high=1.0,
    )
    thresholds = {"shirt": 0.75, "vest": NEVER}
    write(tmp_path, thresholds=thresholds, accept=accept, claims=(claim,))

    bundle = read_bundle(str(tmp_path), STORAGE)

    assert bundle.info.promise == accept
    assert bundle.info.claims == (claim,)
    rows = np.array([[0.8, 0.1, 0.1], [0, 1, 0], [0.25, 0, 0.75]], np.float32)
    assert bundle.decider.decide(rows)["decision"].to_pylist() == ["accept", "parent", "accept"]


def test_a_bundle_without_tested_thresholds_has_one_for_all(tmp_path: Path) -> None:
    description = tmp_path / "bundle.json"
    write(tmp_path)
    older = json.loads(description.read_text())
    for key in ("thresholds", "accept", "claims"):
        del older[key]
    description.write_text(json.dumps(older))

    bundle = read_bundle(str(tmp_path), STORAGE)

    assert bundle.info.promise == Accept(precision=0.95)
    assert bundle.decider.thresholds == {}
    assert bundle.decider.threshold == 0.7

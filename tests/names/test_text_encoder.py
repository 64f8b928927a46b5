"""A text encoder in the place of n-grams; `make test-text` installs what reads it, and runs it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from lib.backfill.head_bundle import carry_head, write_head_bundle
from lib.errors import InputError
from lib.images.config import ReadingConfig
from lib.inference.classify_unit import UnitClassifier
from lib.inference.config import UnitJob
from lib.models.bundle import read_bundle
from lib.names.encoder_files import find_encoder
from lib.names.part import read_names
from lib.names.text_encoder import TextEncoder
from lib.taxonomy.migration import migrate
from lib.taxonomy.taxonomy import parse_taxonomy
from tests.helpers import catalogs
from tests.helpers.encoders import TOKENS, WIDTH, write_encoder
from tests.helpers.named import LEAVES, TITLES, fitted, make_named_bundle

pytest.importorskip("sentence_transformers", reason="not installed; make test-text")

WORDS = (*LEAVES, "number", "a")
STRANGE = ["\U0001f457", "x" * 10_000, "shirt " * 10_000, "\u202e\u05d7\u05d5", "zzz \x00", " "]
RENAMED = 'version: "8"\nreplaces: {version: "7", renamed: {shoes: footwear}}\ncategories: ['


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoders") / "tiny", WORDS)


def opened(folder: Path) -> TextEncoder:
    return TextEncoder(find_encoder(str(folder), catalogs.LOCAL), catalogs.LOCAL)


@pytest.fixture(scope="module")
def encoder(folder: Path) -> TextEncoder:
    return opened(folder)


def test_titles_that_were_never_seen_are_told_apart(encoder: TextEncoder) -> None:
    asked = encoder.encode([f"A {leaf} number 77" for leaf in LEAVES])

    margins = fitted(encoder).margins(asked)

    assert margins.argmax(axis=1).tolist() == [*range(len(LEAVES))]


def test_a_bundle_has_its_encoder_within_and_says_the_same_again(
    tmp_path: Path, folder: Path, encoder: TextEncoder
) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "elsewhere"))
    made = make_named_bundle(tmp_path / "bundle", encoder=opened(copied))
    shutil.rmtree(copied)  # it is not asked again
    moved = Path(shutil.move(made.uri, tmp_path / "moved"))

    bundle = read_bundle(str(moved), catalogs.LOCAL)
    found = read_names(bundle, catalogs.LOCAL)

    assert found
    assert bundle.info.names
    assert bundle.info.names.encoder == "elsewhere"
    probabilities, says = found.probabilities([*TITLES, None, "!"])
    expected = fitted(encoder).margins(encoder.encode(TITLES))
    assert np.array_equal(found.weights.margins(found.weights.encoder.encode(TITLES)), expected)
    assert says.tolist() == [True] * len(TITLES) + [False, False]
    assert (probabilities[: len(TITLES)].argmax(axis=1) == expected.argmax(axis=1)).all()


def test_a_bundle_with_another_encoder_is_another_bundle(
    tmp_path: Path, encoder: TextEncoder
) -> None:
    other = opened(write_encoder(tmp_path / "other", (*WORDS, "more")))

    one = make_named_bundle(tmp_path / "one", encoder=encoder)
    two = make_named_bundle(tmp_path / "two", encoder=other)

    assert one.fingerprint["bundle"] != two.fingerprint["bundle"]


def test_an_encoder_that_was_damaged_in_the_bundle_is_refused(
    tmp_path: Path, encoder: TextEncoder
) -> None:
    bundle = make_named_bundle(tmp_path, encoder=encoder)
    weights = tmp_path / "encoder" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"oops")

    with pytest.raises(InputError, match=r"model.safetensors is damaged, or another file has"):
        read_names(bundle, catalogs.LOCAL)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("model.safetensors", "no tensors"),
        ("config.json", "{}"),
        ("config.json", '{"model_type": "bert", "auto_map": {"AutoConfig": "evil.Evil"}, "x": '),
        ("tokenizer.json", "[]"),
        ("1_Pooling/config.json", '{"word_embedding_dimension": "many", "pooling_mode": "odd"}'),
    ],
)
def test_an_encoder_that_cannot_be_loaded_is_refused_in_one_sentence(
    tmp_path: Path, folder: Path, name: str, text: str
) -> None:
    spoilt = Path(shutil.copytree(folder, tmp_path / "spoilt"))
    (spoilt / name).write_text(text)

    with pytest.raises(InputError, match=r"spoilt: this text encoder cannot be used: ") as error:
        opened(spoilt)
    assert "\n" not in str(error.value)


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path, folder: Path) -> None:
    import torch  # noqa: PLC0415  # with what reads encoders
    from safetensors.torch import load_file, save_file  # noqa: PLC0415

    spoilt = Path(shutil.copytree(folder, tmp_path / "spoilt"))
    tensors = {
        name: torch.full_like(t, torch.nan)
        for name, t in load_file(spoilt / "model.safetensors").items()
    }
    save_file(tensors, spoilt / "model.safetensors", {"format": "pt"})

    with pytest.raises(InputError, match=r"what it gives is not finite"):
        opened(spoilt)


def test_strange_titles_get_finite_vectors_of_length_one_or_none(encoder: TextEncoder) -> None:
    found = encoder.encode([*STRANGE, None])

    lengths = np.linalg.norm(found.matrix, axis=1)
    assert found.matrix.shape == (len(STRANGE) + 1, WIDTH)
    assert lengths[found.says] == pytest.approx(1, abs=1e-5)
    assert (lengths[~found.says] == 0).all()
    assert found.says.tolist() == [False, True, True, True, True, False, False]


def test_a_title_is_read_as_far_as_the_encoder_can(encoder: TextEncoder) -> None:
    short, long = ["shirt " * TOKENS, "shirt " * TOKENS * 9]

    found = encoder.encode([short, long])

    assert found.matrix[0] == pytest.approx(found.matrix[1], abs=1e-5)


def test_an_encoder_without_normalisation_gives_vectors_of_length_one(tmp_path: Path) -> None:
    plain = opened(write_encoder(tmp_path / "plain", WORDS, normalised=False))

    assert np.linalg.norm(plain.encode(["shirt"]).matrix) == pytest.approx(1, abs=1e-5)


def test_where_only_names_count_a_night_labels_by_the_encoder(
    tmp_path: Path, encoder: TextEncoder
) -> None:
    bundle = make_named_bundle(tmp_path / "b", (0.0, 1.0), both=0.0, encoder=encoder)
    uri = catalogs.write_catalog(str(tmp_path / "images"), catalogs.pictures(10))
    items = catalogs.read_items(uri)
    names = [f"a {LEAVES[row % len(LEAVES)]}" for row in range(items.num_rows)]
    place = items.schema.get_field_index("name")
    job = UnitJob(
        run=catalogs.run_at("", run_id="run-1"),
        bundle_uri=bundle.uri,
        engine=catalogs.cpu_engine(8),
        reading=ReadingConfig(threads=2),
    )

    rows, _ = UnitClassifier(job).classify(
        items.set_column(place, items.schema.field(place), [names])
    )

    assert [f"a {each}" for each in rows["category_id"].to_pylist()] == names


def test_a_bundle_of_a_new_taxonomy_has_the_encoder_too(
    tmp_path: Path, encoder: TextEncoder
) -> None:
    old = make_named_bundle(tmp_path / "old", encoder=encoder)
    leaves = ", ".join(f"{{id: {each}}}" for each in LEAVES).replace("shoes", "footwear")
    migration = migrate([catalogs.TAXONOMY, parse_taxonomy(f"{RENAMED}{leaves}]", "taxonomy.yaml")])
    head = carry_head(old, migration, catalogs.LOCAL)
    uri = str(tmp_path / "run" / "bundle")

    write_head_bundle(uri, catalogs.LOCAL, old, head, migration.new)

    shutil.rmtree(old.uri)
    found = read_names(read_bundle(uri, catalogs.LOCAL), catalogs.LOCAL)
    assert found
    best = found.probabilities(["a shoes number 5"])[0].argmax(axis=1)
    assert [found.leaves[each] for each in best] == ["footwear"]

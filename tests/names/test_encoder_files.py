"""The folder of a text encoder: only what is safe to read is read, else it is refused."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lib.errors import InputError
from lib.hashing import digest_bytes
from lib.models.bundle import read_bundle
from lib.names.encoder_files import EncoderFiles, find_encoder
from tests.helpers import catalogs
from tests.helpers.jobs import ROOT
from tests.helpers.named import make_named_bundle

KINDS = "sentence_transformers.models"
PARTS = [(f"{KINDS}.Transformer", ""), (f"{KINDS}.Pooling", "1_Pooling")]
NORMALISED = [*PARTS, (f"{KINDS}.Normalize", "2_Normalize")]
# which says that the package is not there, whatever is installed
WITHOUT = "import sys; sys.modules['sentence_transformers'] = None"


def write_folder(folder: Path, parts: list[tuple[str, str]], weights: str) -> str:
    (folder / "1_Pooling").mkdir()
    described = [{"type": kind, "path": path} for kind, path in parts]
    (folder / "modules.json").write_text(json.dumps(described))
    for name in ("config.json", "tokenizer.json", weights, "1_Pooling/config.json"):
        (folder / name).write_bytes(name.encode())
    return str(folder)


def test_settings_vocabularies_and_safetensors_are_its_files_and_nothing_else(
    tmp_path: Path,
) -> None:
    uri = write_folder(tmp_path, NORMALISED, "model.safetensors")
    for name in (
        "README.md",
        "pytorch_model.bin",
        "modeling.py",
        "adapter_config.json",
        "1_Pooling/x.bin",
    ):
        (tmp_path / name).write_bytes(b"odd")

    found = find_encoder(uri, catalogs.LOCAL)

    assert [*found.digests] == [
        "1_Pooling/config.json",
        "config.json",
        "model.safetensors",
        "modules.json",
        "tokenizer.json",
    ]
    assert found.name == tmp_path.name


def test_a_file_that_has_changed_since_is_not_read(tmp_path: Path) -> None:
    found = find_encoder(write_folder(tmp_path, PARTS, "model.safetensors"), catalogs.LOCAL)
    (tmp_path / "config.json").write_bytes(b"other")

    with pytest.raises(InputError, match=r"config.json is damaged, or another file has taken its"):
        found.read("config.json", catalogs.LOCAL)


def test_pickled_weights_are_refused_and_not_read(tmp_path: Path) -> None:
    uri = write_folder(tmp_path, PARTS, "pytorch_model.bin")

    with pytest.raises(InputError, match=r"they are a pickle \(pytorch_model.bin\); save the"):
        find_encoder(uri, catalogs.LOCAL)


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [*PARTS, (f"{KINDS}.Dense", "2_Dense")],
        [(f"{KINDS}.Transformer", ""), ("theirs.Pooling", "1_Pooling")],
        [(f"{KINDS}.Transformer", ""), (f"{KINDS}.Pooling", "../1_Pooling")],
        [(f"{KINDS}.Transformer", "/etc"), (f"{KINDS}.Pooling", "1_Pooling")],
    ],
)
def test_other_parts_than_those_of_an_encoder_are_refused(
    tmp_path: Path, parts: list[tuple[str, str]]
) -> None:
    uri = write_folder(tmp_path, parts, "model.safetensors")

    with pytest.raises(InputError, match=r"modules.json names other parts than a Transformer"):
        find_encoder(uri, catalogs.LOCAL)


@pytest.mark.parametrize("text", ["", "{", "3", "[3]", '[{"type": 3, "path": 4}]', "[" * 100_000])
def test_parts_that_cannot_be_read_are_refused(tmp_path: Path, text: str) -> None:
    uri = write_folder(tmp_path, PARTS, "model.safetensors")
    (tmp_path / "modules.json").write_text(text)

    with pytest.raises(InputError, match=r"modules.json names other parts"):
        find_encoder(uri, catalogs.LOCAL)


@pytest.mark.parametrize(
    "path",
    ["../config.json", "/etc/config.json", "a/b/config.json", "a/../config.json", "x.py", ""],
)
def test_a_bundle_whose_encoder_has_a_file_elsewhere_is_refused(tmp_path: Path, path: str) -> None:
    found = find_encoder(write_folder(tmp_path, PARTS, "model.safetensors"), catalogs.LOCAL)
    found.check(catalogs.LOCAL)
    spoilt = replace(found, digests={**found.digests, path: "0" * 64})

    with pytest.raises(InputError, match="a text encoder has no file"):
        spoilt.check(catalogs.LOCAL)


def test_a_bundle_whose_encoder_has_parts_of_another_program_is_refused(tmp_path: Path) -> None:
    uri = write_folder(tmp_path, PARTS, "model.safetensors")
    text = json.dumps([{"type": "os.system", "path": ""}])
    (tmp_path / "modules.json").write_text(text)
    files = EncoderFiles(name="x", uri=uri, digests={"modules.json": digest_bytes(text.encode())})

    with pytest.raises(InputError, match=r"modules.json names other parts than a Transformer"):
        files.check(catalogs.LOCAL)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not the folder of a text encoder: it has no mod"):
        find_encoder(str(tmp_path), catalogs.LOCAL)


def refused(command: str, run_file: Path, before: str = "pass") -> str:
    program = f"{before}; from jobs.{command} import main; from jobs.command import run; run(main)"
    said = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", program, str(run_file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 2, said.stderr
    (line,) = said.stderr.splitlines()
    return line


def write_training(folder: Path, encoder: str) -> Path:
    (folder / "taxonomy.yaml").write_text(catalogs.TAXONOMY_YAML)
    run_file = folder / "train.yaml"
    run_file.write_text(
        f"taxonomy: {folder}/taxonomy.yaml\ncatalog: {{uri: photos}}\n"
        f"names: {{encoder: {encoder}}}\n"
    )
    return run_file


@pytest.mark.processes
def test_a_training_that_lacks_the_extra_says_what_to_install(tmp_path: Path) -> None:
    uri = write_folder(tmp_path, PARTS, "model.safetensors")

    said = refused("train", write_training(tmp_path, uri), WITHOUT)

    assert said.startswith("error: names.encoder reads titles with a text encoder, and ")
    assert said.endswith("is not installed here; pip install 'reshelve[text]'")


@pytest.mark.processes
def test_a_night_that_lacks_the_extra_says_what_to_install(tmp_path: Path) -> None:
    bundle = make_named_bundle(tmp_path / "bundle")
    described = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    described["names"]["encoder"] = "tiny"
    (tmp_path / "bundle" / "bundle.json").write_text(json.dumps(described))
    run_file = tmp_path / "classify.yaml"
    run_file.write_text(
        f"catalog: {{uri: photos}}\nbundle: {bundle.uri}\noutput: {tmp_path}/runs\n"
    )

    said = refused("classify", run_file, WITHOUT)

    assert said.startswith(f"error: {bundle.uri} reads titles with a text encoder, and ")
    assert said.endswith("is not installed here; pip install 'reshelve[text]'")
    assert not (tmp_path / "runs").exists()


def test_a_bundle_by_n_grams_does_not_speak_of_encoders(tmp_path: Path) -> None:
    make_named_bundle(tmp_path)

    assert "encoder" not in json.loads((tmp_path / "bundle.json").read_text())["names"]
    assert read_bundle(str(tmp_path), catalogs.LOCAL).info.names is not None

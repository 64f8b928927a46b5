"""What a person reads who gives a command something that it cannot use: one sentence each."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lib.errors import InputError
from lib.hashing import digest_bytes
from lib.runs.begin import begin_run
from lib.runs.run import Intent, Run
from tests.helpers import catalogs
from tests.helpers.jobs import run_job


def refusal(*arguments: str) -> str:
    """Return what a command says that ends with exit code 2, in its one line."""
    result = run_job(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", ": the file is empty; expected keys and values, as in 'output: runs'"),
        (b"- output\n", ": expected keys and values, as in 'output: runs'"),
        (b"output: a\nlabels_table: \xfcber\n", ", line 2: not text in UTF-8 (byte 0xfc); save "),
        (b"\xff\xfeo\x00u\x00t\x00", ", line 1: this is text in UTF-16; save the file as UTF-8"),
        (b"output: a\x00\n", ": not valid YAML: it has a control character, and may be no text"),
        (b"output: a\ncatalog: x\nbundle: b\n", ", line 2: 'catalog' should be keys and values, "),
        (b"output: a\n bundle: b\n", "look at the indentation of this line and of the one above"),
    ],
)
def test_a_run_file_that_is_none_says_why(tmp_path: Path, content: bytes, sentence: str) -> None:
    run_file = tmp_path / "night.yaml"
    run_file.write_bytes(content)

    said = refusal("classify", str(run_file))

    assert said.startswith(f"{run_file}")
    assert sentence in said


def test_a_folder_in_the_place_of_a_run_file_is_named(tmp_path: Path) -> None:
    assert refusal("train", str(tmp_path)) == f"{tmp_path}: this is a folder; expected a run file"


def test_a_run_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "none.yaml")
    assert refusal("backfill", path) == f"{path}: there is no such run file"


@pytest.mark.parametrize("override", ["nonsense", "=8", "engine..batch_size=8"])
def test_a_setting_that_is_none_says_what_was_expected(tmp_path: Path, override: str) -> None:
    run_file = tmp_path / "night.yaml"
    run_file.write_text("output: runs\n")

    said = refusal("classify", str(run_file), "--set", override)

    assert said.endswith(": expected KEY=VALUE, as in training.epochs=8")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda bundle: [each.unlink() for each in bundle.iterdir()], "no bundle here"),
        (
            lambda bundle: (bundle / "taxonomy.yaml").unlink(),
            "the bundle lacks taxonomy.yaml; copy",
        ),
        (
            lambda bundle: (bundle / "bundle.json").write_text('{"run_id": '),
            "bundle.json: the bundle's description is damaged: it is not whole JSON",
        ),
        (
            lambda bundle: (bundle / "bundle.json").write_text('{"run_id": 3}'),
            "bundle.json: the bundle's description is damaged, or of another version: 'run_id' ",
        ),
        (
            lambda bundle: (bundle / "taxonomy.yaml").write_bytes(b"version: \xff"),
            "taxonomy.yaml is not the file that bundle.json describes: it is damaged, or another",
        ),
    ],
    ids=["empty", "half", "cut", "other", "damaged"],
)
def test_a_bundle_that_cannot_be_used_says_why(
    tmp_path: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    bundle = tmp_path / "bundle"
    catalogs.make_bundle(str(bundle))
    spoil(bundle)
    run_file = tmp_path / "night.yaml"
    run_file.write_text(
        f"output: {tmp_path}/runs\ncatalog: {{uri: {tmp_path}/images}}\nbundle: {bundle}\n"
        f"labels_table: {tmp_path}/labels\n"
    )

    assert sentence in refusal("classify", str(run_file), "--dry-run")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="this system has no /proc")
def test_a_place_that_takes_no_folder_is_named() -> None:
    place = "/proc/reshelve"
    with pytest.raises(InputError) as caught:
        catalogs.LOCAL.write(f"{place}/run.json", b"{}")

    assert str(caught.value) == f"{place}/run.json: no folder can be made here; give another place"


def test_a_manifest_that_is_not_utf_8_says_so(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_bytes("uri,name\na.jpg,Größe\n".encode("latin-1"))
    (tmp_path / "taxonomy.yaml").write_text(catalogs.TAXONOMY_YAML)
    run_file = tmp_path / "learn.yaml"
    run_file.write_text(
        f"output: {tmp_path}/runs\ncatalog: {{uri: {tmp_path}/items.csv}}\n"
        f"taxonomy: {tmp_path}/taxonomy.yaml\n"
    )

    assert refusal("train", str(run_file)) == (
        f"{tmp_path}/items.csv: the manifest cannot be read: it is not text in UTF-8; in Excel, "
        "save it as 'CSV UTF-8 (Comma delimited)', elsewhere export it with the encoding UTF-8"
    )


TAXONOMY = "version: '1'\ncategories: [{id: H\xfcte}, {id: Schuhe}]\n"


@pytest.mark.parametrize(
    ("encoding", "sentence"),
    [
        ("latin-1", "line 2: not text in UTF-8 (byte 0xfc); save the file as UTF-8"),
        ("utf-16", "line 1: this is text in UTF-16; save the file as UTF-8"),
    ],
)
@pytest.mark.parametrize("command", ["train", "taxonomy diff", "classify"])
def test_a_taxonomy_that_is_not_utf_8_says_so(
    tmp_path: Path, command: str, encoding: str, sentence: str
) -> None:
    data, file = TAXONOMY.encode(encoding), tmp_path / "taxonomy.yaml"
    run_file = tmp_path / "run.yaml"
    named = f"taxonomy: {file}\n"
    if command == "classify":
        catalogs.make_bundle(str(tmp_path))
        described = json.loads((tmp_path / "bundle.json").read_text())
        described["digests"]["taxonomy"] = digest_bytes(data)
        (tmp_path / "bundle.json").write_text(json.dumps(described))
        named = f"bundle: {tmp_path}\nlabels_table: {tmp_path}/labels\n"
    file.write_bytes(data)
    run_file.write_text(f"output: {tmp_path}/runs\ncatalog: {{uri: {tmp_path}/photos}}\n{named}")
    given = [file, file] if command == "taxonomy diff" else [run_file]

    assert refusal(*command.split(), *map(str, given)) == f"{file}, {sentence}"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_named(tmp_path: Path) -> None:
    catalogs.make_bundle(str(tmp_path / "bundle"))
    labels = dict.fromkeys(pictures := catalogs.pictures(2), "shirt")
    manifest = catalogs.write_catalog(str(tmp_path / "images"), pictures, labels=labels)
    run_file = tmp_path / "measure.yaml"
    run_file.write_text(
        f"output: {tmp_path}/runs\nbundle: {tmp_path}/bundle\ncatalog: {{uri: {manifest}}}\n"
        "engine: {device: cuda}\n"
    )

    result = run_job("evaluate", str(run_file))

    assert result.exit_code == 2
    sentence = "engine.device is cuda, but there is no GPU here; set it to cpu or auto"
    assert result.stderr.splitlines()[-1] == f"error: {sentence}"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"version: '1'\ncategories:\n  - {id: \xff}\n", ", line 3: not text in UTF-8"),
        (b"version: '1'\ncategories: &all\n  - {id: a, children: *all}\n", "contains itself"),
        (b"version: '1'\ncategories:\n- id: a\n  - id: b\n", ", line 4: not valid YAML: "),
    ],
)
def test_a_taxonomy_that_is_none_says_why(tmp_path: Path, content: bytes, sentence: str) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(catalogs.TAXONOMY_YAML)
    new.write_bytes(content)

    said = refusal("taxonomy", "diff", str(old), str(new))

    assert said.startswith(f"{new}")
    assert sentence in said


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return begin_run(
        str(tmp_path), "night", Intent(job="classify", fingerprint={}, run_file={}), catalogs.LOCAL
    )


@pytest.mark.parametrize("name", ["run.json", "outcome.json", "manifest.json", "metrics.jsonl"])
def test_a_damaged_file_of_a_run_is_named(run: Run, name: str) -> None:
    run.write(name, b'{"run_id": ')

    said = refusal("status", run.uri)

    assert said.startswith(f"{run.at(name)}: this file of a run is damaged: it is not ")


def test_a_folder_without_a_run_cannot_be_published(tmp_path: Path) -> None:
    assert refusal("publish", str(tmp_path)) == (
        f"{tmp_path}: there is no run here; give a run's folder"
    )


def test_what_a_command_lacks_is_said_in_plain_lines() -> None:
    result = run_job("classify", "night.yaml", "--limit", "0")

    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("Error: Invalid value for '--limit': ")


def test_the_summary_of_each_command_fits_a_terminal_of_80_columns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    lines = run_job("--help").stdout.splitlines()

    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if line.startswith("  ") and line.endswith("...")]

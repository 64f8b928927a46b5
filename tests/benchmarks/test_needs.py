import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import needs

BENCHMARKS = sorted((needs.ROOT / "benchmarks").glob("bench_*.py"))
LITTLE_BYTES = 600 << 20  # torch and Ray do not fit into it


@pytest.mark.processes
@pytest.mark.parametrize("path", BENCHMARKS, ids=[path.stem for path in BENCHMARKS])
def test_a_benchmark_says_what_it_lacks_before_it_imports_anything_large(
    path: Path, tmp_path: Path
) -> None:
    said = subprocess.run(  # noqa: S603  # our own programs
        [sys.executable, "-m", f"benchmarks.{path.stem}"],
        cwd=needs.ROOT,
        env={**os.environ, "RESHELVE_SHARED": str(tmp_path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (LITTLE_BYTES, LITTLE_BYTES)),
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 2
    assert "Traceback" not in said.stderr
    *_, last = said.stderr.splitlines()
    assert re.search(r"; (end|set|give|run|`make)", last), said.stderr


def test_data_that_is_not_there_is_named_with_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESHELVE_SHARED", str(tmp_path))

    assert needs.data("data/clothing", "photos") == (
        f"{tmp_path}/data/clothing is not there or empty: expected photos; "
        "set RESHELVE_SHARED to a folder that has data/clothing"
    )


def test_nothing_lacks_where_the_data_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESHELVE_SHARED", str(tmp_path))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "photo.jpg").touch()

    assert needs.data("data", "photos") is None
    assert needs.data(tmp_path / "data" / "photo.jpg", "a photo") is None


def test_an_empty_folder_lacks_its_data(tmp_path: Path) -> None:
    assert needs.data(tmp_path, "photos")


def test_peers_lie_where_the_makefile_installs_them() -> None:
    makefile = (needs.ROOT / "Makefile").read_text()
    folders = dict(re.findall(r"^(\w+) := benchmarks/out/([\w-]+)$", makefile, re.MULTILINE))
    targets = re.findall(r"^(bench[\w-]*): \$\((\w+)\)/\.installed$", makefile, re.MULTILINE)

    assert {
        target: folders[variable] for target, variable in targets if variable in folders
    } == needs.PEERS


def test_peers_that_are_not_installed_are_named_with_the_target_that_installs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "OUT", tmp_path)

    said = needs.peers("bench-search")
    (tmp_path / "search-peers").mkdir()
    (tmp_path / "search-peers" / ".installed").touch()

    assert said
    assert "`make bench-search` installs them" in said
    assert needs.peers("bench-search") is None


def test_a_store_without_its_keys_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(needs.S3_ENDPOINT, "http://127.0.0.1:1")
    monkeypatch.setenv(needs.S3_KEY, "key")
    monkeypatch.delenv(needs.S3_SECRET, raising=False)

    said = needs.s3_store()

    assert said
    assert f"set {needs.S3_SECRET}, too" in said


def test_memory_and_disk_that_no_machine_has_are_asked_for() -> None:
    assert "GiB of memory are needed" in str(needs.memory_gib(1e9))
    assert "set TMPDIR" in str(needs.disk_gib(1e9))


def test_all_that_lacks_is_said_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        needs.check("one thing; do this", None, "another; do that")

    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines() == ["one thing; do this", "another; do that"]

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from lib.errors import InputError, ReshelveError
from lib.images.device_preparer import DevicePreparer
from lib.images.fetch import Fetcher
from lib.images.isolated import CarefulPreparer
from lib.images.preparer import Prepared, StuckError
from lib.inference.attempts import begin
from lib.runs import files
from lib.runs.shards import read_shards
from tests.helpers import catalogs, crash
from tests.helpers.jobs import ROOT, wait_until

pytestmark = pytest.mark.processes

PICTURES = catalogs.pictures(8)
DEATHS = {
    crash.SEGFAULT: "SIGSEGV",
    crash.ABORT: "SIGABRT",
    crash.EXIT: "exit code 3",
    crash.KILL: "SIGKILL",
}
PROGRAM = """
import sys
from lib.images.isolated import CarefulPreparer
from tests import crash
CarefulPreparer(crash.preparer_of(crash.decode_and_say_where, 3600)).prepare(sys.argv[1], None)
"""


def careful(uris: list[str]) -> list[Prepared]:
    return list(CarefulPreparer(crash.preparer_of()).stream(uris, [None] * len(uris)))


def write(folder: Path, marks: Mapping[int, bytes], **more: bytes) -> list[str]:
    """Write the pictures, of which some, by their place, hold a mark after their last byte."""
    files = {
        name: data + marks.get(place, b"") for place, (name, data) in enumerate(PICTURES.items())
    }
    for name, data in {**files, **more}.items():
        (folder / name).write_bytes(data)
    return [str(folder / name) for name in {**files, **more}]


def errors(found: list[Prepared]) -> dict[int, tuple[str, str]]:
    """Reason and detail of each item that has no pixels, by its place."""
    assert all((each.pixels is None) == (each.error is not None) for each in found)
    return {n: (each.error.reason, each.error.detail) for n, each in enumerate(found) if each.error}


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Hold the test to leaving no process and no descriptor."""
    process = psutil.Process()
    children, before = process.children(recursive=True), descriptors()
    yield
    assert process.children(recursive=True) == children
    assert not descriptors() - before


def descriptors() -> Counter[str]:
    """What this process has open; a connection that an earlier test has left may yet be closed."""
    found = Counter[str]()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # that of the listing itself
            name = str(path.readlink())
            if name.startswith("socket:"):
                # a Ray that an earlier test had in this process tries to connect for ever
                with socket.socket(fileno=os.dup(int(path.name))) as other:
                    other.getpeername()
            found[name] += 1
    return found


@pytest.mark.usefixtures("nothing_left")
def test_the_results_are_those_of_the_threads_bit_for_bit(tmp_path: Path) -> None:
    uris = [*write(tmp_path, {}, **catalogs.BROKEN_FILES), str(tmp_path / "not-there.jpg")]
    expected = list(crash.preparer_of().stream(uris, [None] * len(uris)))

    found = careful(uris)

    assert errors(found) == errors(expected)
    assert len(errors(found)) == len(catalogs.BROKEN)
    for one, other in zip(found, expected, strict=True):
        assert one.bytes_fetched == other.bytes_fetched
        if one.pixels is not None and other.pixels is not None:
            assert one.pixels.dtype == other.pixels.dtype
            assert np.array_equal(one.pixels, other.pixels)


@pytest.mark.parametrize(
    "marks",
    [
        {0: crash.SEGFAULT, 7: crash.ABORT},
        {3: crash.EXIT, 4: crash.SEGFAULT, 5: crash.KILL},
        dict.fromkeys(range(8), crash.SEGFAULT),
    ],
    ids=["first and last", "adjacent", "all"],
)
@pytest.mark.usefixtures("nothing_left")
def test_an_image_that_kills_its_process_is_the_only_one_marked(
    marks: Mapping[int, bytes], tmp_path: Path
) -> None:
    found = errors(careful(write(tmp_path, marks)))

    assert found == {
        place: ("decoder_crash", f"the process that decodes it dies: {DEATHS[mark]}")
        for place, mark in marks.items()
    }


@pytest.mark.faults
@pytest.mark.usefixtures("nothing_left")
def test_an_image_that_never_ends_is_timed_out_even_where_it_holds_the_interpreter(
    tmp_path: Path,
) -> None:
    found = errors(careful(write(tmp_path, {1: crash.HANG, 2: crash.HOLD, 3: crash.SEGFAULT})))

    assert {place: reason for place, (reason, _) in found.items()} == {
        1: "timeout",
        2: "timeout",
        3: "decoder_crash",
    }
    assert found[1][1] == "decoding takes longer than 4 s"


@pytest.mark.usefixtures("nothing_left")
def test_a_fault_of_our_own_is_raised_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError, match="a fault of our own"):
        careful(write(tmp_path, {2: crash.FAULT}))


@pytest.mark.usefixtures("nothing_left")
def test_a_store_in_trouble_is_raised_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise InputError("the store refuses")

    uris = write(tmp_path, {})
    monkeypatch.setattr(Fetcher, "fetch", fail)

    with pytest.raises(InputError, match="the store refuses"):
        careful(uris)


@pytest.mark.usefixtures("nothing_left")
def test_a_stream_that_nobody_reads_to_its_end_leaves_nothing(tmp_path: Path) -> None:
    uris = write(tmp_path, {})
    stream = CarefulPreparer(crash.preparer_of()).stream(uris, [None] * len(uris))

    assert next(stream).pixels is not None
    del stream


@pytest.mark.usefixtures("nothing_left")
def test_a_guarding_process_that_is_killed_costs_no_image(tmp_path: Path) -> None:
    uris = write(tmp_path, {})
    others = psutil.Process().children()
    stream = CarefulPreparer(crash.preparer_of()).stream(uris, [None] * len(uris))
    found = [next(stream)]
    (guard,) = set(psutil.Process().children()) - set(others)

    guard.kill()
    found.extend(stream)

    assert errors(found) == {}
    assert len(found) == len(uris)


@pytest.mark.usefixtures("nothing_left")
def test_a_guarding_process_that_cannot_start_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(ReshelveError, match=r"does not start on .*: exit code 1"):
        careful(write(tmp_path, {}))


@pytest.mark.faults
@pytest.mark.parametrize("mark", [crash.HANG, crash.HOLD], ids=["hangs", "holds"])
def test_a_killed_process_takes_its_children_along_though_an_image_hangs(
    mark: bytes, tmp_path: Path
) -> None:
    said = tmp_path / "process-id"
    image = tmp_path / "image.jpg"
    image.write_bytes(PICTURES["000.jpg"] + mark + os.fsencode(said))
    command = [sys.executable, "-c", PROGRAM, str(image)]
    with subprocess.Popen(command, cwd=ROOT) as parent:  # noqa: S603  # the command is our own
        wait_until(lambda: said.exists() and bool(said.read_text()))
        below = psutil.Process(parent.pid).children(recursive=True)
        assert int(said.read_text()) in [each.pid for each in below]

        parent.send_signal(signal.SIGKILL)

    _, alive = psutil.wait_procs(below, timeout=30)
    assert [each for each in alive if each.status() != psutil.STATUS_ZOMBIE] == []


def test_an_image_that_never_ends_stops_the_threads_with_a_sentence(tmp_path: Path) -> None:
    uris = write(tmp_path, {3: crash.HANG})
    crash.RELEASED.clear()
    try:
        with pytest.raises(StuckError, match=r"reading\.timeout_s") as caught:
            list(crash.preparer_of(timeout_s=0.5).stream(uris, [None] * len(uris)))
    finally:
        crash.RELEASED.set()

    assert uris[3] in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301  # our own


def test_waiting_for_the_store_does_not_count_as_decoding(tmp_path: Path) -> None:
    (first, *_) = write(tmp_path, {})
    with socket.create_server(("127.0.0.1", 0)) as mute:
        # longer in all than an image may take to decode
        uris = [f"http://127.0.0.1:{mute.getsockname()[1]}/{n}.jpg" for n in range(12)]
        found = list(crash.preparer_of(timeout_s=0.5).stream([*uris, first], [None] * 13))
    assert {reason for reason, _ in errors(found).values()} == {"fetch_failed"}
    assert sorted(errors(found)) == list(range(12))


def test_a_unit_that_was_begun_before_is_done_with_care(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_files = {n: d + crash.SEGFAULT * (n == "003.jpg") for n, d in PICTURES.items()}
    manifest = catalogs.write_catalog(str(tmp_path / "images"), crash_files)
    run = catalogs.run_at(tmp_path / "run")
    run.write_table(files.PLAN, catalogs.read_items(manifest))
    monkeypatch.setattr(
        "lib.inference.classify_unit.DevicePreparer", partial(DevicePreparer, decode=crash.decode)
    )
    bundle = catalogs.make_bundle(str(tmp_path / "bundle"))
    classifier = crash.classifier_of(bundle.uri, run)
    begin(run, 0)

    receipt = classifier.run(0)

    ((_, rows),) = read_shards(run, [0])
    assert receipt.errors == {"decoder_crash": 1}
    assert dict(zip(rows["item_id"].to_pylist(), rows["error"].to_pylist(), strict=True)) == {
        name: "decoder_crash" if name == "003.jpg" else None for name in PICTURES
    }

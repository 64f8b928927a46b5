from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import ray
import yaml
from deltalake import DeltaTable

from lib.cluster.decode_helpers import Helper, cores_short, helper_count
from lib.cluster.pool_preparer import CHUNK, PoolPreparer, here_is_sooner, pack, unpack
from lib.images.config import ReadingConfig
from lib.images.device_decode import DeviceDecoder
from lib.images.jpeg import Pixels
from lib.images.preparer import Prepared, Preparer
from lib.inference.config import Decode, UnitJob
from lib.reasons import ItemError, Reason
from lib.runs.receipt import Receipt
from lib.storage.config import StorageConfig
from tests.helpers import catalogs
from tests.helpers.jobs import run_job
from tests.helpers.local_ray import local_ray

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]
FILES = {**catalogs.pictures(150), **catalogs.BROKEN_FILES}


@pytest.fixture(scope="module", autouse=True)
def ray_here() -> Iterator[None]:
    with local_ray():
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    catalogs.write_catalog(str(home / "images"), FILES, missing=["x-missing.jpg"])
    catalogs.make_bundle(str(home / "bundle"), architecture="squeezenet1_1")
    return home


def write_run_file(home: Path, decode: str) -> str:
    described = {
        "output": str(home / "runs"),
        "run_id": decode,
        "catalog": {"uri": str(home / "images" / "manifest.csv")},
        "bundle": str(home / "bundle"),
        "labels_table": str(home / f"labels-{decode}"),
        "engine": {
            "device": "cpu",
            "precision": "fp32",
            "actors": 1,
            "cpus_per_actor": 1,
            "unit_size": 80,
            "decode": decode,
        },
        "gates": {"max_error_rate": 0.2},
    }
    run_file = home / f"{decode}.yaml"
    run_file.write_text(yaml.safe_dump(described))
    return str(run_file)


def classify(home: Path, decode: str) -> pa.Table:
    result = run_job("classify", write_run_file(home, decode))
    assert result.exit_code == 0, result.output
    return catalogs.without_run(DeltaTable(str(home / f"labels-{decode}")))


def test_rows_are_the_same_wherever_images_are_decoded(home: Path) -> None:
    inline = classify(home, "inline")

    assert classify(home, "pool").equals(inline)
    assert classify(home, "auto").equals(inline)


def test_a_dry_run_measures_actors_and_says_what_will_help_them(home: Path) -> None:
    inline, pool = (
        run_job("classify", write_run_file(home, decode), "--dry-run", "--full").output
        for decode in ("inline", "pool")
    )

    assert "images/s with 1 actor, by a sample" in inline
    assert "less with the help" not in inline
    assert "images/s with 1 actor, by a sample\nless with the help of 1 process for " in pool


def test_pixels_and_errors_keep_their_places_on_the_way() -> None:
    pixels = [np.full((3, 4, 4), value, np.uint8) for value in (1, 2)]
    gone = ItemError(Reason.GONE, "it is not there")
    sent = [Prepared(pixels=pixels[0]), Prepared(error=gone), Prepared(pixels=pixels[1])]

    packed, rest = pack(sent)
    got = list(unpack(packed, rest))

    assert packed.dtype == np.uint8
    assert [each.error for each in got] == [None, gone, None]
    assert got[0].pixels is not None
    assert got[2].pixels is not None
    assert (int(got[0].pixels[0, 0, 0]), int(got[2].pixels[0, 0, 0])) == (1, 2)


@ray.remote(num_cpus=0)
class Dying:
    def prepare(self, items: object) -> None:  # noqa: ARG002  # as a helper has it
        import os  # noqa: PLC0415  # in the actor alone

        os._exit(1)


def test_what_a_helper_dies_of_is_prepared_by_the_actor_itself(home: Path) -> None:
    items = catalogs.read_items(str(home / "images" / "manifest.csv"))
    uris, etags = items["uri"].to_pylist(), items["etag"].to_pylist()
    reading = ReadingConfig(threads=2, stores=("/",))
    arguments = (catalogs.PREPROCESSING, reading, StorageConfig())

    dying = Dying.remote()  # type: ignore[attr-defined]  # Ray adds it
    alone = [*Preparer(*arguments).stream(uris, etags)]
    helped = [*PoolPreparer([dying], *arguments).stream(uris, etags)]

    assert [each.error and each.error.reason for each in helped] == [
        each.error and each.error.reason for each in alone
    ]
    for one, other in zip(helped, alone, strict=True):
        if one.pixels is not None and other.pixels is not None:
            assert np.array_equal(one.pixels, other.pixels)


class Counting(DeviceDecoder):
    """A device that counts its files."""

    files = 0

    def decode(self, files: Sequence[bytes]) -> list[Pixels | None]:
        self.files += len(files)
        return super().decode(files)


def test_helpers_and_a_device_each_take_a_part_and_the_order_stays(home: Path) -> None:
    items = catalogs.read_items(str(home / "images" / "manifest.csv"))
    uris, etags = (5 * items[name].to_pylist() for name in ("uri", "etag"))
    reading = ReadingConfig(threads=2, stores=("/",))
    arguments = (catalogs.PREPROCESSING, reading, StorageConfig())
    job = UnitJob(
        run=catalogs.run_at(home / "none"),
        bundle_uri=str(home / "bundle"),
        engine=catalogs.cpu_engine(8),
        reading=reading,
    )
    helpers = [Helper.options(num_cpus=0).remote(job) for _ in range(2)]  # type: ignore[attr-defined]  # Ray adds it
    device = Counting(catalogs.PREPROCESSING, 1, on_gpu=False)

    alone = [*Preparer(*arguments).stream(uris, etags)]
    helped = [*PoolPreparer(helpers, *arguments, device=device).stream(uris, etags)]

    photos = sum(uri.endswith(".jpg") for uri in uris)
    assert CHUNK / 4 < device.files < photos - CHUNK / 4
    assert [each.error and each.error.reason for each in helped] == [
        each.error and each.error.reason for each in alone
    ]
    for one, other in zip(helped, alone, strict=True):
        if one.pixels is not None and other.pixels is not None:
            assert np.abs(one.pixels.astype(int) - other.pixels).mean() < 2


@pytest.mark.parametrize(
    ("here", "there", "seconds_here", "seconds_there", "sooner"),
    [
        (0, 0, 1, 1, True),  # pixels that are made here need not travel
        (1, 0, 1, 1, False),
        (1, 4, 1, 1, True),  # all helpers are busy
        (3, 0, 1, 4, True),  # the device is four times as fast
        (4, 0, 1, 4, False),
        (0, 7, 9, 4, False),
        (0, 8, 9, 4, True),
    ],
)
def test_a_chunk_goes_where_it_is_done_sooner(
    here: int,
    there: int,
    seconds_here: float,
    seconds_there: float,
    sooner: bool,  # noqa: FBT001  # a table's column
) -> None:
    assert here_is_sooner(here, there, 4, seconds_here, seconds_there) == sooner


def receipt(decode_s: float, forward_s: float) -> Receipt:
    return Receipt(
        unit=0,
        items=100,
        labelled=100,
        errors={},
        decisions={},
        bytes_fetched=0,
        retries=0,
        fetch_s=9.0,
        decode_s=decode_s,
        forward_s=forward_s,
        seconds=1.0,
        engine="",
    )


@pytest.mark.parametrize(
    ("decode_s", "forward_s", "cores", "short"),
    [
        (1.0, 1.0, 4, 0),  # the model is what takes longest
        (4.4, 1.0, 4, 0),  # decoding is, by too little to be worth it
        (12.0, 1.0, 4, 8),  # the model could do with three times the cores
        (1.0, 0.0, 4, 0),  # nothing could be classified
    ],
)
def test_helpers_are_asked_for_where_the_model_waits_for_its_images(
    decode_s: float, forward_s: float, cores: float, short: float
) -> None:
    assert cores_short(receipt(decode_s, forward_s), cores) == short


@pytest.mark.parametrize(
    ("decode", "free", "gpus", "cpu_nodes", "helpers"),
    [
        ("inline", 14, 1, False, 0),
        ("pool", 14, 0, False, 14),
        ("pool", 0.5, 0, False, 1),  # it is what was asked for
        ("auto", 14, 0, False, 0),  # actors on CPUs use all cores themselves
        ("auto", 14, 1, False, 14),  # beside a GPU, cores are idle otherwise
        ("auto", -0.5, 1, False, 0),
        ("auto", 64, 1, True, 5),  # nodes that only help are paid for
        ("auto", 3, 1, True, 3),
    ],
)
def test_helpers_take_idle_cores_beside_a_gpu_and_of_other_nodes_what_is_short(
    decode: Decode,
    free: float,
    gpus: int,
    cpu_nodes: bool,  # noqa: FBT001  # a table's column
    helpers: int,
) -> None:
    count = helper_count(decode, free=free, gpus=gpus, cpu_nodes=cpu_nodes, short=lambda: 5.2)

    assert count == helpers

# ruff: noqa: T201  # they speak to a person
"""What a night costs when one item in a hundred has changed: objects read, and seconds.

    python -m benchmarks.bench_changed [--items N] [--rounds N]

A first night classifies all items. Then, each round, one in a hundred is overwritten, and two
commands are timed one after the other: the night over all items, through a proxy that counts the
images that are read (some once more, for the report's pictures); and a first night over a catalog
of nothing but the changed ones, with a table of its own. What the night costs beyond that is the
cost of all that did not change. The store is the one that RESHELVE_TEST_S3_ENDPOINT names with
RESHELVE_TEST_S3_KEY and RESHELVE_TEST_S3_SECRET, or moto's.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import needs


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":  # before what takes seconds to import
    items = arguments().items
    needs.check(needs.s3_store(), needs.memory_gib(2 + items / 5e4))

import obstore
import yaml

from benchmarks.s3_store import open_store
from lib.storage.config import StorageConfig
from lib.storage.s3 import Buckets
from tests.helpers import catalogs
from tests.helpers.proxy import FaultProxy

CHANGED_SHARE = 100
PICTURES = 64
WRITERS = 16
LONGEST_S = 900


@dataclass(frozen=True)
class Shop:
    """A bucket, and a folder for run files."""

    bucket: str
    folder: Path

    def put(self, keys: dict[str, int]) -> None:
        """Write pictures by key; each number is another picture."""
        store = Buckets(StorageConfig()).open(self.bucket)
        pictures = {n: catalogs.encode(catalogs.draw(n), "jpg") for n in set(keys.values())}
        with ThreadPoolExecutor(WRITERS) as pool:
            written = pool.map(lambda key: obstore.put(store, key, pictures[keys[key]]), keys)
            for _ in written:
                pass

    def night(self, name: str, images: str, table: str, endpoint: str | None = None) -> float:
        """Run a night; return its seconds."""
        uri = f"s3://{self.bucket}"
        run_file = self.folder / f"{name}.yaml"
        described = {
            "output": f"{uri}/runs",
            "run_id": name,
            "catalog": {"uri": f"{uri}/{images}/"},
            "bundle": f"{uri}/bundle",
            "labels_table": f"{uri}/{table}",
            "embeddings": f"{uri}/embeddings-{table}",
            "gates": {"max_category_changes": None, "max_mix_shift": None},
            "storage": {"endpoint_url": endpoint},
        }
        run_file.write_text(yaml.safe_dump(described))
        started = time.perf_counter()
        command = [sys.executable, "-m", "jobs.classify", str(run_file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S)  # noqa: S603, PLW1510  # our own job; its sentence is shown
        if done.returncode:
            raise SystemExit(f"{name}: exit code {done.returncode}: {done.stderr}")
        return time.perf_counter() - started


@contextmanager
def open_shop() -> Iterator[Shop]:
    """Make a bucket, and remove it with all that is in it."""
    with open_store() as store, store.bucket() as bucket, tempfile.TemporaryDirectory() as folder:
        print(f"the images lie in {store.name}", flush=True)
        yield Shop(bucket, Path(folder))


def measure(shop: Shop, number: int, items: int) -> dict[str, float]:
    """Change one item in a hundred, and take them in."""
    changed = range(number, items, CHANGED_SHARE)
    shop.put({f"images/{item:07d}.jpg": PICTURES + number for item in changed})
    shop.put({f"control-{number}/{item:07d}.jpg": PICTURES + number for item in changed})
    endpoint = StorageConfig().s3_endpoint
    assert endpoint
    alone_s = shop.night(f"control-{number}", f"control-{number}", f"control-labels-{number}")
    with FaultProxy(endpoint) as proxy:
        night_s = shop.night(f"night-{number}", "images", "labels", proxy.url)
        read = proxy.read("/images/[0-9]+.jpg")
    return {
        "changed": len(changed),
        "images_read": len(read),
        "read_again": sum(read.values()) - len(read),
        "night_s": round(night_s, 1),
        "changed_alone_s": round(alone_s, 1),
        "beyond_s": round(night_s - alone_s, 1),
    }


def main() -> None:
    """Measure each round, and print the median."""
    given = arguments()
    with open_shop() as shop:
        catalogs.make_bundle(f"s3://{shop.bucket}/bundle", architecture="resnet18")
        shop.put({f"images/{item:07d}.jpg": item % PICTURES for item in range(given.items)})
        first_s = shop.night("first", "images", "labels")
        print(f"first night: {given.items:,} items in {first_s:.0f} s", flush=True)
        rounds = []
        for number in range(given.rounds):
            rounds.append(measure(shop, number, given.items))
            print(rounds[-1], flush=True)
    figures = {
        "items": given.items,
        "first_night_s": round(first_s, 1),
        "images_read": [each["images_read"] for each in rounds],
        "beyond_s": statistics.median(each["beyond_s"] for each in rounds),
        "rounds": rounds,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

# ruff: noqa: T201  # they speak to a person
"""Reshelve beside what its users would otherwise run: images/s, cold start, memory, agreement.

    make bench

Photos are classified from S3 (the store that RESHELVE_TEST_S3_ENDPOINT names with
RESHELVE_TEST_S3_KEY and RESHELVE_TEST_S3_SECRET, or moto's on the same cores) and from disk: web
photos, repeated to thousands of keys, and the same at 1,600 px, as shops have them. Beside us run
Ray Data and Daft as their documentation shows them, a plain script of one's own and a tuned one.
There are as many images as keep ours busy for 20 seconds, and fewer for Ray Data and Daft; a whole
job is the start-up and the rest at the steady rate, which favours peers. What has goals comes
first, then further rounds while there is time; it ends by itself within 15 minutes. The ResNet-18
gets a head on product photos at the first time, and so does the default network.
"""

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks import needs


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=needs.shared())
    parser.add_argument("--items", type=int, default=6000, help="of the whole job, and at most")
    parser.add_argument("--peer-items", type=int, default=400, help="of Ray Data and Daft")
    parser.add_argument("--rounds", type=int, default=3, help="at most")
    return parser.parse_args()


if __name__ == "__main__":  # before what takes seconds to import
    asked = arguments()
    needs.check(
        needs.data(asked.shared / "data" / "imagenet-samples", "photos"),
        needs.data(asked.shared / "data" / "clothing", "folders of photos by side and category"),
        needs.data(asked.shared / "weights" / "resnet18-tiny-imagenet.safetensors", "weights"),
        needs.peers("bench"),
        needs.s3_store(),
        needs.memory_gib(5),
        needs.disk_gib(3),
    )

from benchmarks.classify_course import Course
from benchmarks.machine import has_amx, processor
from benchmarks.s3_store import open_store

LIMIT_S = 14 * 60.0  # for it all, but for what the last ones take to end


def main() -> None:
    """Lay out the images, let all run, print tables, figures and one JSON object."""
    given = arguments()
    end = time.monotonic() + LIMIT_S
    print(processor(), flush=True)
    with tempfile.TemporaryDirectory() as name, open_store() as store, store.bucket() as bucket:
        print(f"S3 is {store.name}", flush=True)
        course = Course(given.shared.resolve(), Path(name), end)
        course.lay_out(store, bucket, given.items)
        course.run(given.peer_items, given.rounds)
        course.tell(given.items, amx=has_amx())


if __name__ == "__main__":
    main()

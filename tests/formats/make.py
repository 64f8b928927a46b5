"""Make a sample of every format that this version writes.

All of it comes from the commands themselves, on the S3 server that the AWS_* variables name. Runs
are left half done by killing them before a certain request has reached the server:
`python -m tests.formats.make NAME.tar.xz`.
"""

import csv
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import s3fs
import yaml

from tests.formats import shop
from tests.helpers.jobs import finish, start, started_with, wait_until
from tests.helpers.proxy import FaultProxy

# a report is for people, and is not read back; a trained bundle needs nothing of its training
LEFT_OUT = re.compile(r"/report\.html$|^runs/trained/(?!bundle/)")
LONGEST_S = 400  # of a job, on a machine that is busy


class Maker:
    """The bucket behind a proxy, and the run files of what was done in it."""

    def __init__(self, folder: Path, proxy: FaultProxy) -> None:
        self._folder, self._proxy = folder, proxy
        self._files = s3fs.S3FileSystem(use_listings_cache=False)
        self._files.mkdir(shop.BUCKET)
        self._marker = uuid.uuid4().hex

    def write(self, key: str, data: bytes) -> None:
        self._files.pipe_file(f"{shop.BUCKET}/{key}", data)

    def list_items(self, name: str, numbers: Iterable[int], *others: str) -> None:
        """Write a manifest of photos and of other files."""
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow(["item_id", "uri", "etag", "category_id", "split"])
        for number in numbers:
            side = "validation" if number % 15 >= 10 else "train"
            rows.writerow([*self._item(f"{number:03d}.png"), shop.category_of(number), side])
        rows.writerows([*self._item(other), "", ""] for other in others)
        self.write(f"photos/{name}.csv", text.getvalue().encode())

    def _item(self, name: str) -> list[str]:
        data = self._files.cat_file(f"{shop.BUCKET}/photos/{name}")
        return [name, name, hashlib.md5(data, usedforsecurity=False).hexdigest()]

    def run(self, job: str, name: str, described: dict[str, Any], *options: str) -> None:
        """Run a job to its end."""
        code, said, errors = finish(
            self._start(job, name, described, *options), at_most_s=LONGEST_S
        )
        assert code == 0, said + errors

    def kill(
        self, job: str, name: str, described: dict[str, Any], request: str, *after: str
    ) -> None:
        """Run a job until it makes certain requests, and end it before they have reached the store.

        Args:
            job: its name.
            name: of the run.
            described: the run file.
            request: a regular expression that finds these requests.
            after: objects of the run's folder that are waited for.
        """
        self._proxy.hold(request)
        process = self._start(job, name, described)
        with process:
            try:
                wait_until(
                    lambda: process.poll() is not None or self._is_there(name, after),
                    at_most_s=LONGEST_S,
                )
                assert process.poll() is None, process.communicate()
            finally:
                process.kill()
        # workers that outlive it would send the requests again
        wait_until(lambda: not started_with(self._marker), at_most_s=LONGEST_S)
        self._proxy.drop()

    def _is_there(self, name: str, after: Iterable[str]) -> bool:
        folder = f"{shop.BUCKET}/runs/{name}"
        return self._proxy.held > 0 and all(self._files.exists(f"{folder}/{a}") for a in after)

    def _start(
        self, job: str, name: str, described: dict[str, Any], *options: str
    ) -> subprocess.Popen[str]:
        path = self._folder / f"{name}.yaml"
        path.write_text(
            yaml.safe_dump(
                {"output": f"{shop.URI}/runs", "run_id": name, **described}, sort_keys=False
            )
        )
        environment = {
            "AWS_ENDPOINT_URL": self._proxy.url,
            "RAY_ADDRESS": "",
            "RESHELVE_TEST_MARKER": self._marker,
        }
        return start(f"jobs.{job}", str(path), *options, environment=environment)

    def pack(self, target: Path) -> None:
        """Write what is to be kept; files that are alike stand together, and so get smaller."""
        kept = {
            f"bucket/{key}": self._files.cat_file(f"{shop.BUCKET}/{key}")
            for path in self._files.find(shop.BUCKET)
            if not LEFT_OUT.search(key := path.removeprefix(f"{shop.BUCKET}/"))
        }
        kept |= {f"run-files/{p.name}": p.read_bytes() for p in self._folder.glob("*.yaml")}
        with tarfile.open(target, "w:xz", preset=9) as archive:
            for name in sorted(kept, key=lambda n: (Path(n).suffix, Path(n).name, n)):
                entry = tarfile.TarInfo(name)
                entry.size = len(kept[name])
                archive.addfile(entry, io.BytesIO(kept[name]))


def make(maker: Maker) -> None:
    maker.write("taxonomy.yaml", shop.TAXONOMY.encode())
    maker.write("taxonomy-2.yaml", shop.TAXONOMY_2.encode())
    maker.write("backbone.safetensors", shop.backbone())
    for number in range(70):
        maker.write(f"photos/{number:03d}.png", shop.photo(number))
    maker.write("photos/page.png", b"<!doctype html><html><body>no such page</body></html>")
    maker.list_items("labelled", range(40))
    examples = [f"{n:03d}.png,{('blouse', 'polo')[n % 2]}\n" for n in range(0, 30, 5)]
    maker.write("photos/examples.csv", ("item_id,category_id\n" + "".join(examples)).encode())
    maker.run("train", "trained", shop.training("head"))

    # a table of two versions; what is new in the second are shirts, and has no embedding
    maker.list_items("first", range(30), "page.png")
    maker.run("classify", "first", shop.night("first", unit_size=8))
    maker.write("photos/003.png", shop.photo(3, seed=1))
    second = [*range(1, 30), *range(30, 70, 5)]
    maker.list_items("second", second, "page.png")
    maker.run("classify", "second", {**shop.night("second"), "embeddings": None})

    # runs that are not finished, or not published, each from that table
    unit, embedded = "^PUT .*/shards/unit-000000[34]", "embeddings/unit-000000%d.parquet"
    new = [number for number in range(31, 45) if number % 5]
    maker.list_items("begun-classify", [*second, *new], "page.png")
    after = [embedded % 3, embedded % 4, figures := "metrics.jsonl"]
    maker.kill("classify", "begun-classify", shop.night("begun-classify"), unit, *after)
    maker.list_items("begun-embed", [*range(30, 60, 5), *range(46, 50), 51, 52])
    embedding = {"catalog": {"uri": f"{shop.URI}/photos/begun-embed.csv"}, **shop.CLASSIFYING}
    maker.kill("embed", "begun-embed", embedding, unit, *after[:2])
    part, before = "^PUT .*/labels/part-00001", "labels/part-00000.parquet"
    maker.kill("backfill", "begun-backfill", shop.BACKFILL, part, before)
    unit, after = "^PUT .*/shards/unit-000000[23]", [f"pixels/{embedded % n}" for n in (2, 3)]
    maker.kill("backfill", "begun-backfill-pixels", shop.BACKFILL, unit, *after)
    recipe, epoch = shop.training("finetune"), "^PUT .*/fold-0/checkpoints/epoch-0002"
    maker.kill("train", "begun-train", recipe, epoch, figures)
    maker.list_items("unpublished", [*second[1:], *range(61, 65)], "page.png")
    maker.run("classify", "unpublished", shop.night("unpublished"), "--no-publish")


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory() as folder,
        FaultProxy(os.environ["AWS_ENDPOINT_URL"]) as proxy,
    ):
        made = Maker(Path(folder), proxy)
        make(made)
        made.pack(Path(sys.argv[1]))

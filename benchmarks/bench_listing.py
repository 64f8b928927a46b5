# ruff: noqa: T201  # a folder of commands, no package; they speak to a person
"""Freezes a catalog of 10 million items, from an inventory and from a listing: seconds, memory.

    python -m benchmarks.bench_listing [--items N] [--only parquet csv listing]

Each freeze runs in a process of its own; its peak of memory is what the kernel says of it. The
inventories lie on local disk. The listing is that of a server on this machine that makes up its
keys and answers as S3 does; its share of the cores is a part of the figure.
"""

import argparse
import gzip
import hashlib
import http.server
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.parse
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import overload

from benchmarks import needs

SOURCES = ("parquet", "csv", "listing")


def arguments() -> argparse.Namespace:
    """Read what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=10_000_000)
    parser.add_argument("--only", nargs="+", choices=SOURCES, default=SOURCES)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--freeze", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":  # before what takes seconds to import
    asked = arguments()
    if not (asked.serve or asked.freeze):
        needs.check(needs.memory_gib(0.5 + asked.items / 6e6), needs.disk_gib(2))

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from lib.catalog.catalog import CatalogConfig
from lib.catalog.snapshot import freeze
from lib.storage.config import StorageConfig
from lib.storage.storage import Storage

FILE_ROWS = 1_000_000
PAGE = 1_000
LIMIT_S = 14 * 60  # of it all
CSV_SCHEMA = "Bucket, Key, Size, LastModifiedDate, ETag, IsLatest, IsDeleteMarker"
ROOT = Path(__file__).resolve().parents[1]


class Keys(Sequence[str]):
    """The keys of a made-up bucket in their order, 10,000 a folder."""

    def __init__(self, count: int) -> None:
        """Make up so many keys."""
        self._count = count

    def __len__(self) -> int:
        """Say how many."""
        return self._count

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """Make one key, or some."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._count))]
        return f"shop/{index // 10_000:05}/photo-{index:09}.jpg"


def write_inventory(folder: Path, count: int, kind: str) -> Path:
    """Write an inventory, shuffled within its files and in the order of its files."""
    files = []
    for number, start in enumerate(range(0, count, FILE_ROWS)):
        table = _rows(start, min(FILE_ROWS, count - start))
        path = folder / f"{(number * 7) % 10}-{number}.{kind}"
        if kind == "parquet":
            parquet.write_table(table, path)
        else:
            with gzip.open(path, "wb", compresslevel=1) as file:
                columns = [pc.cast(column, pa.string()) for column in table.columns]
                quoted = [pc.binary_join_element_wise('"', c, '"', "") for c in columns]
                lines = pc.binary_join_element_wise(*quoted, ",")
                file.write("\n".join(lines.to_pylist()).encode() + b"\n")
        files.append({"key": path.name, "MD5checksum": _md5(path)})
    manifest = {
        "sourceBucket": "shop",
        "destinationBucket": ".",
        "fileFormat": {"parquet": "Parquet", "csv": "CSV"}[kind],
        "fileSchema": CSV_SCHEMA,
        "files": sorted(files, key=lambda file: file["key"]),
    }
    path = folder / "manifest.json"
    path.write_text(json.dumps(manifest))
    return path


def _rows(start: int, count: int) -> pa.Table:
    order = [start + (i * 7_919) % count for i in range(count)]
    keys = Keys(start + count)
    return pa.table(
        {
            "bucket": pa.repeat("shop", count),
            "key": [keys[i] for i in order],
            "size": [40_000 + i % 50_000 for i in order],
            "last_modified_date": pa.repeat("2026-11-01T00:00:00.000Z", count),
            "e_tag": [_etag(i) for i in order],
            "is_latest": pa.repeat("true", count).cast(pa.bool_()),
            "is_delete_marker": pa.repeat("false", count).cast(pa.bool_()),
        }
    )


def _etag(index: int) -> str:
    return f"{index * 0x9E3779B97F4A7C15 % 2**128:032x}"


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def serve(count: int) -> None:
    """Answer ListObjectsV2 for made-up keys, until the process is ended."""
    keys = Keys(count)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
            after = asked.get("continuation-token") or asked.get("start-after") or [""]
            start = bisect_right(keys, after[0])
            page = keys[start : start + PAGE]
            entries = "".join(
                f"<Contents><Key>{key}</Key><LastModified>2026-11-01T00:00:00.000Z</LastModified>"
                f"<ETag>&quot;{_etag(i)}&quot;</ETag><Size>{40_000 + i % 50_000}</Size>"
                "<StorageClass>STANDARD</StorageClass></Contents>"
                for i, key in enumerate(page, start)
            )
            more = start + PAGE < count
            token = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if more else ""
            body = (
                '<?xml version="1.0" encoding="UTF-8"?>'
                '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                f"<Name>shop</Name><IsTruncated>{str(more).lower()}</IsTruncated>"
                f"<KeyCount>{len(page)}</KeyCount>{token}{entries}</ListBucketResult>"
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


def freeze_once(uri: str, path: Path) -> None:
    """Freeze, and print the figures of this process."""
    start = time.monotonic()
    frozen = freeze(CatalogConfig(uri=uri), Storage(StorageConfig()), path)
    figures = {
        "items": frozen.items,
        "seconds": round(time.monotonic() - start, 1),
        "cpu_seconds": round(time.process_time(), 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "snapshot_mb": path.stat().st_size >> 20,
        "digest": frozen.digest[:12],
    }
    print(json.dumps(figures))


def _measure(source: str, count: int, folder: Path, ends: float) -> dict[str, object]:
    environment = dict(os.environ)
    server = None
    if source == "listing":
        command = [sys.executable, "-m", "benchmarks.bench_listing", "--serve", str(count)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)  # noqa: S603  # our own
        assert server.stdout
        environment["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{int(server.stdout.readline())}"
        environment |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
        uri = "s3://shop"
    else:
        uri = str(write_inventory(folder, count, source))
    command = [sys.executable, "-m", "benchmarks.bench_listing"]
    command += ["--freeze", uri, str(folder / "snapshot.parquet")]
    try:
        done = subprocess.run(  # noqa: S603  # our own
            command,
            stdout=subprocess.PIPE,
            env=environment,
            timeout=max(ends - time.monotonic(), 1),
            check=True,
            cwd=ROOT,
        )
    finally:
        if server:
            server.kill()
            server.wait()
    load = round(os.getloadavg()[0], 1)
    return {"source": source, **json.loads(done.stdout.splitlines()[-1]), "load": load}


def main() -> None:
    """Measure, print a table and, last, one line of JSON."""
    asked = arguments()
    if asked.serve:
        return serve(asked.serve)
    if asked.freeze:
        return freeze_once(asked.freeze[0], Path(asked.freeze[1]))
    ends = time.monotonic() + LIMIT_S
    results: list[dict[str, object]] = []
    for source in asked.only:
        with tempfile.TemporaryDirectory(prefix="reshelve-bench-") as folder:
            try:
                result = _measure(source, asked.items, Path(folder), ends)
            except subprocess.TimeoutExpired:
                result = {"source": source, "seconds": "no time left"}
        results.append(result)
        print("  ".join(f"{key} {value}" for key, value in result.items()), flush=True)
    print(json.dumps({"benchmark": "listing", "cores": os.cpu_count(), "results": results}))
    return None


if __name__ == "__main__":
    main()

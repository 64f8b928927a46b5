import io
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from deltalake import DeltaTable
from pyarrow import parquet

from lib.schemas import LABELS_SCHEMA
from tests.conftest import Bucket
from tests.helpers import catalogs
from tests.helpers.jobs import run_job

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240)]

PICTURE = catalogs.encode(catalogs.draw(1), "jpg")
MARKUP = "<script>document.title='taken'</script><img src=x onerror=alert(1)>"
MEGABYTE = "long " * 200_000
# keys as S3 allows them; a NUL is refused by every store
KEYS = [
    *("//double.jpg", "two\nlines.jpg", "tab\t.jpg", "a..b/c.jpg"),
    *("\N{SHOPPING BAGS}\N{VARIATION SELECTOR-16}.jpg", "cafe\N{COMBINING ACUTE ACCENT}.jpg"),
    *("q?x=1&y=#z.jpg", "100%25.jpg", "'quoted\".jpg", "a;DROP TABLE labels;--.jpg", "{run}.jpg"),
    *("$(touch here).jpg", " spaces .jpg", "*.jpg", "[a-z].jpg", "back\\slash.jpg"),
    f"{MARKUP[:40].replace('/', '')}.jpg",
]
HIDDEN = [
    "../../up.jpg",
    "a/../b.jpg",
    "./here.jpg",
    ".thumbs/a.jpg",
]  # as a file system hides them
# ids and titles as a shop's database may give them; each is told from all others
NAMES = {
    "../../../etc/cron.d/x": "../..",
    "line\nbreak": "one\ntwo\r\nthree",
    "nul\0byte": "a\0b",
    "\N{SHOPPING BAGS}": "\N{SHOPPING BAGS}" * 1000,
    "  ": "\t",
    "=1+1": "=HYPERLINK(1)",
    "\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe": "\N{RIGHT-TO-LEFT OVERRIDE}",
    MARKUP: MARKUP,
    "long": MEGABYTE,
    MEGABYTE: "long id",
    "{{7*7}}": "{{7*7}} {% for x in y %}",
    "' OR 1=1 --": "'; DROP TABLE labels; --",
    "NULL": "null",
    "nan": "NaN",
    "%s%n": "%s%n",
}
# where a manifest that a stranger wrote might lead
ELSEWHERE = [
    *("file:///etc/passwd", "/etc/passwd", "file:/etc/passwd", "s3://another-bucket/a.jpg"),
    *("http://169.254.169.254/latest/meta-data/iam/", "http://[fd00:ec2::254]/", "//host/a.jpg"),
    *("http://127.0.0.1:1/a.jpg", "ftp://127.0.0.1/a.jpg", "zip://a::file:///etc/passwd"),
    *("simplecache::s3://another-bucket/a.jpg", "data://text/plain,x", "memory://a.jpg"),
]


def classify(s3: Bucket, folder: Path, catalog: str, *, errors: float) -> pa.Table:
    """Classify a catalog; return the table's rows as another program reads them."""
    catalogs.make_bundle(f"{s3.uri}/bundle", architecture="squeezenet1_1")
    run_file = folder / "run.yaml"
    engine = {"device": "cpu", "precision": "fp32", "actors": 1, "cpus_per_actor": 1}
    described = {
        "output": f"{s3.uri}/runs",
        "run_id": "night",
        "catalog": {"uri": f"{s3.uri}/{catalog}"},
        "bundle": f"{s3.uri}/bundle",
        "labels_table": f"{s3.uri}/labels",
        "embeddings": f"{s3.uri}/embeddings",
        "engine": {**engine, "batch_size": 8, "unit_size": 8},
        "gates": {"max_error_rate": errors},
        "storage": {
            "endpoint_url": s3.server.endpoint,
            "access_key_id": s3.server.key,
            "secret_access_key": s3.server.secret,
        },
    }
    run_file.write_text(yaml.safe_dump(described))
    result = run_job("classify", str(run_file))
    assert result.exit_code == 0, result.output
    options = {"AWS_ENDPOINT_URL": s3.server.endpoint, "AWS_ALLOW_HTTP": "true"}
    table = DeltaTable(f"{s3.uri}/labels", storage_options=options)
    return pa.table(table.to_pyarrow_table(columns=LABELS_SCHEMA.names)).sort_by("item_id")


def write_manifest(s3: Bucket, rows: dict[str, list[str]]) -> str:
    file = io.BytesIO()
    parquet.write_table(pa.table(rows), file)
    s3.put("catalog.parquet", file.getvalue())
    return "catalog.parquet"


def test_keys_of_any_characters_are_items_with_labels(s3: Bucket, tmp_path: Path) -> None:
    # moto resolves dots in keys, and knows no key of two lines
    keys = KEYS if s3.server.is_ceph else [key for key in KEYS if "\n" not in key]
    for key in [*keys, *(HIDDEN if s3.server.is_ceph else ())]:
        s3.put(f"images/{key}", PICTURE)
    rows = classify(s3, tmp_path, "images/", errors=0)
    assert rows["item_id"].to_pylist() == sorted(keys)
    assert set(rows["category_id"].to_pylist()) == {rows["category_id"][0].as_py()}


def test_ids_and_titles_of_any_characters_come_through_and_mean_nothing(
    s3: Bucket, tmp_path: Path
) -> None:
    s3.put("a.jpg", PICTURE)
    names = {"item_id": list(NAMES), "name": list(NAMES.values())}
    manifest = write_manifest(s3, {**names, "uri": [f"{s3.uri}/a.jpg"] * len(NAMES)})
    rows = classify(s3, tmp_path, manifest, errors=0)
    assert rows["item_id"].to_pylist() == sorted(NAMES)
    assert rows["error"].null_count == len(NAMES)
    folders = {key.split("/")[0] for key in s3.list_keys()}
    assert folders == {"a.jpg", "bundle", "catalog.parquet", "embeddings", "labels", "runs"}
    found = s3.server.client.get_object(Bucket=s3.name, Key="runs/night/report.html")
    report = found["Body"].read().decode()
    assert MARKUP not in report
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in report
    assert r"\u202egpj.exe" in report
    assert "&lt;script&gt;document.title=" in report
    assert len(report) < len(MEGABYTE)


def test_uris_that_lead_elsewhere_are_error_rows_and_nothing_is_read(
    s3: Bucket, tmp_path: Path
) -> None:
    s3.put("a.jpg", PICTURE)
    uris = [f"{s3.uri}/a.jpg", *ELSEWHERE]
    manifest = write_manifest(s3, {"item_id": [f"{n:02d}" for n in range(len(uris))], "uri": uris})
    rows = classify(s3, tmp_path, manifest, errors=1)
    by_uri = dict(zip(rows["uri"].to_pylist(), rows["error"].to_pylist(), strict=True))
    assert by_uri.pop(f"{s3.uri}/a.jpg") is None
    assert by_uri == dict.fromkeys(by_uri, "outside_store")
    assert len(by_uri) == len(ELSEWHERE) - 1  # file:/etc/passwd is /etc/passwd


@pytest.mark.parametrize("run_id", ["../night", "a/b", "", ".", "a b", "night\n", "x" * 200])
def test_a_run_id_is_one_plain_name(tmp_path: Path, run_id: str) -> None:
    run_file = tmp_path / "run.yaml"
    described = {"catalog": {"uri": "images/"}, "bundle": "bundle", "run_id": run_id}
    run_file.write_text(yaml.safe_dump(described))
    result = run_job("classify", str(run_file))
    assert result.exit_code == 2
    assert "'run_id' should have at most 100 letters" in result.stderr
    assert list(tmp_path.iterdir()) == [run_file]

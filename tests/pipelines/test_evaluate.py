import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
import yaml
from deltalake import write_deltalake
from pyarrow import parquet

from lib.errors import InputError, ReshelveError
from lib.evaluation.predictions import probabilities_of
from lib.images.config import ReadingConfig
from lib.inference.classify_unit import UnitClassifier
from lib.inference.config import UnitJob
from lib.models.bundle import Bundle
from lib.models.bundle_weights import load_classifier, write_bundle
from lib.schemas import LABELS_SCHEMA
from pipelines.evaluate import evaluate
from pipelines.evaluate_inputs import EvaluateRun
from tests.helpers import catalogs
from tests.helpers.jobs import run_job, told_by
from tests.helpers.local_ray import local_ray
from tests.helpers.named import make_named_bundle
from tests.helpers.report_reading import Page

PICTURES = catalogs.pictures(40)
BROKEN = {"x-empty.jpg": b""}
ENGINE = {"device": "cpu", "precision": "fp32", "cpus_per_actor": 1, "batch_size": 8,
          "unit_size": 16}  # fmt: skip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return catalogs.make_bundle(str(tmp_path_factory.mktemp("bundle")), threshold=0.5)


@pytest.fixture(scope="module")
def labels(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """Rows of the bundle's own labels for all pictures."""
    manifest = catalogs.write_catalog(str(tmp_path_factory.mktemp("all")), PICTURES)
    job = UnitJob(
        run=catalogs.run_at("", run_id="run-1"),
        bundle_uri=bundle.uri,
        engine=catalogs.cpu_engine(8),
        reading=ReadingConfig(threads=4),
    )
    return UnitClassifier(job).classify(catalogs.read_items(manifest))[0]


def best(labels: pa.Table) -> dict[str, str]:
    """The most probable leaf of each item."""
    return {row["item_id"]: row["top_k"][0]["category_id"] for row in labels.to_pylist()}


def truth_with_mistakes(labels: pa.Table, every: int = 5) -> dict[str, str]:
    """What the bundle says, but for each fifth item."""
    leaves = catalogs.TAXONOMY.leaves
    return {
        item_id: leaves[(leaves.index(said) + 1) % 5] if n % every == 0 else said
        for n, (item_id, said) in enumerate(sorted(best(labels).items()))
    }


def shop(folder: Path, truth: dict[str, str], **columns: list[str]) -> str:
    """Write pictures, with a broken one, and a manifest with their labels and more columns."""
    files = {**PICTURES, **BROKEN}
    labels = {**truth, **dict.fromkeys(BROKEN, "shirt")}
    manifest = Path(catalogs.write_catalog(str(folder), files, labels=labels))
    rows = list(csv.reader(manifest.read_text().splitlines()))
    for name, values in columns.items():
        last = "a shirt" if name == "name" else ""
        for row, value in zip(rows, [name, *values, last], strict=True):
            row.append(value)
    with manifest.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return str(manifest)


def evaluated(folder: Path, **described: Any) -> tuple[dict[str, Any], Path, list[str]]:  # noqa: ANN401  # a run file's
    """Evaluate; return the findings, the run's folder and what was said."""
    said: list[str] = []
    config = EvaluateRun.model_validate(
        {"output": str(folder / "runs"), "run_id": "eval", "engine": ENGINE, **described}
    )
    evaluate(config, said.append)
    run = folder / "runs" / "eval"
    return json.loads((run / "evaluation.json").read_text()), run, said


def test_a_bundle_is_right_as_often_as_the_labels_say_and_each_prediction_is_kept(
    bundle: Bundle, labels: pa.Table, tmp_path: Path
) -> None:
    manifest = shop(tmp_path, truth_with_mistakes(labels))

    found, run, said = evaluated(tmp_path, bundle=bundle.uri, catalog={"uri": manifest})

    accuracy = found["assessment"]["accuracy"]
    assert (accuracy["part"], accuracy["whole"]) == (32, 40)
    assert [each["item_id"] for each in found["left_out"]] == ["x-empty.jpg"]
    predictions = parquet.read_table(run / "predictions.parquet")
    assert dict(zip(*predictions.select(["item_id", "predicted"]).to_pydict().values(),
                    strict=True)) == best(labels)  # fmt: skip
    assert predictions["decision"].to_pylist() == labels["decision"].to_pylist()
    known = probabilities_of(predictions)
    assert known
    assert known[0] == bundle.info.leaves
    assert np.allclose(known[1].sum(axis=1), 1, atol=1e-5)
    assert max(len(line) for line in "\n".join(said[1:-1]).splitlines()) <= 80
    page = Page((run / "report.html").read_text())
    assert page.unbalanced == []
    assert "Right on 80.0\u00a0% of 40 items" in page.text.replace(" %", "\u00a0%")
    assert len([tag for tag in page.tags("img") if tag["src"].startswith("data:")]) == 8


def test_a_bundle_that_uses_names_is_asked_with_them_and_not_without_an_image(
    labels: pa.Table, tmp_path: Path
) -> None:
    named = make_named_bundle(tmp_path / "named", (0.0, 1.0), both=0.0, alone=0.0)
    truth = truth_with_mistakes(labels)
    titles = [f"a {truth[each]}" for each in sorted(truth)]
    manifest = shop(tmp_path, truth, name=titles)

    found, run, _ = evaluated(tmp_path, bundle=named.uri, catalog={"uri": manifest})

    accuracy = found["assessment"]["accuracy"]
    assert (accuracy["part"], accuracy["whole"]) == (40, 40)
    assert [(e["item_id"], e["code"]) for e in found["left_out"]] == [("x-empty.jpg", "empty")]
    predictions = parquet.read_table(run / "predictions.parquet")
    assert predictions["label"].to_pylist() == predictions["predicted"].to_pylist()


def test_an_ended_evaluation_answers_again_without_work(
    bundle: Bundle, labels: pa.Table, tmp_path: Path
) -> None:
    manifest = shop(tmp_path, truth_with_mistakes(labels))
    evaluated(tmp_path, bundle=bundle.uri, catalog={"uri": manifest})

    _, run, said = evaluated(tmp_path, bundle=bundle.uri, catalog={"uri": manifest})

    assert "has ended before: right on 32 of 40 items" in said[0]
    assert len(list((run / "attempts").iterdir())) == 3  # one for each unit


def test_a_scheduler_is_told_how_accurate_what_was_evaluated_is(
    bundle: Bundle, labels: pa.Table, tmp_path: Path
) -> None:
    manifest = shop(tmp_path, truth_with_mistakes(labels))
    run_file = tmp_path / "evaluate.yaml"
    described = {"bundle": bundle.uri, "catalog": {"uri": manifest}, "engine": ENGINE}
    run_file.write_text(yaml.safe_dump({"output": str(tmp_path / "runs"), **described}))

    told = told_by(run_job("evaluate", str(run_file), "--json").stdout)

    assert (told["state"], told["items"], told["accuracy"]) == ("evaluated", 40, 0.8)
    assert (told["compared"], told["exit_code"]) == (None, 0)
    assert told["verdict"] in Page(Path(told["report"]).read_text()).text


@pytest.mark.ray
@pytest.mark.timeout(240)
def test_the_actors_of_a_cluster_predict_what_this_machine_predicts(
    bundle: Bundle, labels: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = {"bundle": bundle.uri, "catalog": {"uri": shop(tmp_path, best(labels))}}
    _, here, _ = evaluated(tmp_path / "here", **described)

    with local_ray():
        monkeypatch.setenv("RAY_ADDRESS", "of the Ray that is there")
        _, there, _ = evaluated(tmp_path / "there", **described)

    one, other = (parquet.read_table(run / "predictions.parquet") for run in (here, there))
    assert one.equals(other)


def worse_than(bundle: Bundle, folder: Path) -> Bundle:
    """Write a bundle of the same backbone whose head takes each category for the next one."""
    classifier = load_classifier(bundle, catalogs.LOCAL)
    with torch.no_grad():
        classifier.head.weight.copy_(classifier.head.weight.roll(1, 0))
        classifier.head.bias.copy_(classifier.head.bias.roll(1, 0))
    return write_bundle(str(folder), catalogs.LOCAL, classifier, bundle.taxonomy, bundle.info)


def test_a_bundle_is_better_than_one_that_is_nearly_always_wrong(
    bundle: Bundle, labels: pa.Table, tmp_path: Path
) -> None:
    other = worse_than(bundle, tmp_path / "other")
    manifest = shop(tmp_path, best(labels))

    found, run, _ = evaluated(
        tmp_path, bundle=bundle.uri, against=other.uri, catalog={"uri": manifest}
    )

    assert found["compared"]["verdict"] == "better"
    assert found["compared"]["only_first"] == 40
    assert not (run / "against").exists()  # one backbone: no image is read twice
    assert "Better" in Page((run / "report.html").read_text()).text


def test_a_bundle_cannot_be_told_apart_from_itself_on_another_backbone(
    bundle: Bundle, labels: pa.Table, tmp_path: Path
) -> None:
    classifier = load_classifier(bundle, catalogs.LOCAL)
    with torch.no_grad():
        next(classifier.backbone.parameters()).mul_(1.0001)
    copy = write_bundle(str(tmp_path / "copy"), catalogs.LOCAL, classifier, bundle.taxonomy,
                        bundle.info)  # fmt: skip
    manifest = shop(tmp_path, truth_with_mistakes(labels))

    found, run, _ = evaluated(
        tmp_path, bundle=bundle.uri, against=copy.uri, catalog={"uri": manifest}
    )

    assert found["compared"]["verdict"] == "cannot be told apart"
    assert (run / "against" / "shards").exists()
    assert found["against_assessment"]["items"] == 40


def test_folds_judge_each_item_by_a_head_that_has_not_seen_it(
    bundle: Bundle, tmp_path: Path
) -> None:
    # labels that no image says anything of: a head that had seen its items would know them
    leaves = catalogs.TAXONOMY.leaves[:4]
    random = {name: leaves[n % 4] for n, name in enumerate(PICTURES)}
    manifest = shop(tmp_path, random)

    found, run, said = evaluated(tmp_path, bundle=bundle.uri, folds=5, catalog={"uri": manifest})

    assert found["assessment"]["accuracy"]["share"]["value"] < 0.6
    predictions = parquet.read_table(run / "predictions.parquet")
    assert set(predictions["fold"].to_pylist()) == set(range(5))
    known = probabilities_of(predictions)
    assert known
    assert not known[1][:, bundle.info.leaves.index("shoes")].any()
    assert (found["assessment"]["decisions"], found["target_precision"]) == ([], None)
    assert any("heads that were fitted in 5 folds" in line for line in said)


def test_slices_are_columns_of_the_manifest_and_the_worse_one_is_marked(
    bundle: Bundle, labels: pa.Table, tmp_path: Path
) -> None:
    truth = truth_with_mistakes(labels, every=2)
    right = [best(labels)[name] == truth[name] for name in PICTURES]
    season = ["summer" if each else "winter" for each in right]
    manifest = shop(tmp_path, truth, season=season)

    found, run, said = evaluated(
        tmp_path, bundle=bundle.uri, slices=["season"], catalog={"uri": manifest}
    )

    marked = {each["value"]: (each["items"], each["worse"]) for each in found["slices"]}
    assert marked == {"summer": (20, False), "winter": (20, True)}
    assert any("season winter is worse than the rest: 0 of 20 right" in line for line in said)
    rows = Page((run / "report.html").read_text()).tags("tr")
    assert len([row for row in rows if row.get("class") == "worse"]) >= 1


def test_items_that_the_manifest_names_for_training_are_left_out(
    bundle: Bundle, labels: pa.Table, tmp_path: Path
) -> None:
    split = ["train" if n % 4 else "test" for n in range(len(PICTURES))]
    manifest = shop(tmp_path, best(labels), split=split)

    found, _, _ = evaluated(tmp_path, bundle=bundle.uri, catalog={"uri": manifest})

    assert found["assessment"]["items"] == 10


def test_a_bundle_that_is_asked_about_its_own_training_is_not_shown_in_green(
    labels: pa.Table, tmp_path: Path
) -> None:
    trained = catalogs.make_bundle(str(tmp_path / "run" / "bundle"))
    manifest = shop(tmp_path, best(labels))
    catalogs.run_at(tmp_path / "run").write_table(
        "items-train.parquet", catalogs.read_items(manifest).slice(0, 25)
    )

    found, run, said = evaluated(tmp_path, bundle=trained.uri, catalog={"uri": manifest})

    assert found["trained_on"] == 25
    assert any("was trained on 25 of these items" in line for line in said)
    assert "Asked about its own training" in Page((run / "report.html").read_text()).text


def write_table(folder: Path, rows: pa.Table) -> str:
    write_deltalake(str(folder), rows.cast(LABELS_SCHEMA))
    return str(folder)


def taxonomy_file(folder: Path) -> str:
    (folder / "taxonomy.yaml").write_text(catalogs.TAXONOMY_YAML)
    return str(folder / "taxonomy.yaml")


def test_a_labels_table_is_measured_without_its_images_and_rows_that_lack_are_named(
    labels: pa.Table, tmp_path: Path
) -> None:
    manifest = shop(tmp_path, truth_with_mistakes(labels))
    table = write_table(tmp_path / "labels", labels.slice(0, 30))

    found, run, _ = evaluated(
        tmp_path,
        labels_table=table,
        taxonomy=taxonomy_file(tmp_path),
        catalog={"uri": manifest},
    )

    assert found["assessment"]["accuracy"]["part"] == 24
    assert found["assessment"]["accuracy"]["whole"] == 30
    assert [each["code"] for each in found["left_out"]] == ["missing"] * 11
    assert not (run / "shards").exists()


def test_a_row_of_another_version_of_the_image_is_left_out(
    labels: pa.Table, tmp_path: Path
) -> None:
    manifest = shop(tmp_path, best(labels))
    etags = pa.array(["other", *labels["etag"].to_pylist()[1:]], pa.string())
    rows = labels.set_column(2, LABELS_SCHEMA.field("etag"), etags)

    found, _, _ = evaluated(
        tmp_path,
        labels_table=write_table(tmp_path / "labels", rows),
        taxonomy=taxonomy_file(tmp_path),
        catalog={"uri": manifest},
    )

    assert {each["item_id"]: each["code"] for each in found["left_out"]} == {
        "000.jpg": "changed",
        "x-empty.jpg": "missing",
    }


def test_a_labels_table_can_be_compared_with_a_bundle(
    bundle: Bundle, labels: pa.Table, tmp_path: Path
) -> None:
    manifest = shop(tmp_path, truth_with_mistakes(labels))

    found, _, _ = evaluated(
        tmp_path,
        labels_table=write_table(tmp_path / "labels", labels),
        taxonomy=taxonomy_file(tmp_path),
        against=bundle.uri,
        catalog={"uri": manifest},
    )

    assert found["compared"]["items"] == 40
    assert found["compared"]["difference"] == 0


def test_a_labels_table_is_measured_without_torch(labels: pa.Table, tmp_path: Path) -> None:
    described = {
        "output": str(tmp_path / "runs"),
        "labels_table": write_table(tmp_path / "labels", labels),
        "taxonomy": taxonomy_file(tmp_path),
        "catalog": {"uri": shop(tmp_path, best(labels))},
    }
    program = (
        "import json, sys; from pipelines.evaluate import evaluate; "
        "from pipelines.evaluate_inputs import EvaluateRun; "
        "evaluate(EvaluateRun.model_validate(json.loads(sys.argv[1])), lambda line: None); "
        "print({'torch', 'ray'} & set(sys.modules))"
    )

    said = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", program, json.dumps(described)],
        capture_output=True, text=True, check=False, env=dict(os.environ),
    )  # fmt: skip

    assert (said.stdout.strip(), said.returncode) == ("set()", 0), said.stderr


def test_where_no_image_can_be_read_that_is_said(bundle: Bundle, tmp_path: Path) -> None:
    manifest = catalogs.write_catalog(str(tmp_path), BROKEN, labels={"x-empty.jpg": "shirt"})

    with pytest.raises(ReshelveError, match="none of the 1 labelled images can be read; the first"):
        evaluated(tmp_path, bundle=bundle.uri, catalog={"uri": manifest})


@pytest.mark.parametrize(
    ("described", "sentence"),
    [
        ({}, "give 'bundle' or 'labels_table' in the run file, not neither"),
        ({"bundle": "b", "labels_table": "t"}, "not both"),
        ({"labels_table": "t"}, "'labels_table' needs 'taxonomy'"),
        ({"labels_table": "t", "folds": 3}, "which a labels table does not have"),
    ],
)
def test_a_run_file_that_does_not_say_what_is_evaluated_is_refused(
    described: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=sentence):
        evaluated(tmp_path, catalog={"uri": "labelled.csv"}, **described)


def test_a_slice_by_a_column_that_is_not_there_is_refused_before_any_work(
    bundle: Bundle, labels: pa.Table, tmp_path: Path
) -> None:
    manifest = shop(tmp_path, best(labels))

    with pytest.raises(InputError, match="no column 'season'"):
        evaluated(tmp_path, bundle=bundle.uri, slices=["season"], catalog={"uri": manifest})

    assert not (tmp_path / "runs").exists()

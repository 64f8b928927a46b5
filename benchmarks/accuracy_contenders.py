"""Reshelve and its peers, each trained on one draw of labels and asked about the test photos."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from pyarrow import parquet

from benchmarks import needs
from benchmarks.backbones import Backbone
from benchmarks.labels import ALL, Draw
from benchmarks.timed import Ran, run_timed
from lib.evaluation.predictions import PREDICTIONS_SCHEMA
from lib.runs import files

OURS = "reshelve"
FIRST_BUNDLE = re.compile(r"first bundle after (\d+(?:\.\d+)?) s")
# by labels of each category; the fewer there are, the more often they are seen
FASTAI_EPOCHS = {"10": "20", "30": "10", ALL: "3"}
TIMM_EPOCHS = {"10": "30", "30": "16", ALL: "4"}
TRAINING, EVALUATION = "train", "test"  # run ids
EVALUATION_LIMIT_S = 180.0
FROZEN = ("closed form", "logistic")  # they take seconds
PEERS = (*FROZEN, "fastai", "timm")


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One contender on one draw.

    Attributes:
        contender: `reshelve`, or a peer.
        backbone: the name of the network.
        labels: of each category.
        seed: of the draw.
        train_s: from the command to its bundle; of a peer, to its answers.
        cpu_s: of all its processes, until it has answered.
        first_bundle_s: until a bundle could be used; None of a peer.
        predictions: of `PREDICTIONS_SCHEMA`, sorted by uri; None where it failed.
        failure: why, in a few words.
    """

    contender: str
    backbone: str
    labels: str
    seed: int
    train_s: float = 0.0
    cpu_s: float = 0.0
    first_bundle_s: float | None = None
    predictions: pa.Table | None = field(default=None, repr=False)
    failure: str = ""


def take_turn(
    contender: str, backbone: Backbone, draw: Draw, taxonomy: Path, limit_s: float
) -> Turn:
    """Let one contender train and answer.

    Args:
        contender: `reshelve`, or one of `PEERS`.
        backbone: the network that it begins with.
        draw: its labels, and the photos that it is asked about; what it writes lies beside them.
        taxonomy: Reshelve's.
        limit_s: after so many seconds it is stopped.
    """
    turn = Turn(contender=contender, backbone=backbone.name, labels=draw.labels, seed=draw.seed)
    folder = draw.train.parent / contender.replace(" ", "-")
    if contender != OURS:
        folder.mkdir(parents=True, exist_ok=True)
        answers = folder / "answers.parquet"
        return _ended(turn, [_run_peer(contender, backbone, draw, answers, limit_s)], answers)
    settings = {"model": dict(backbone.model), **training_of(draw, taxonomy)}
    steps = [train(settings, folder, TRAINING, limit_s)]
    if not steps[0].failure:
        steps.append(evaluate(bundle_of(folder, TRAINING), draw.test, folder, EVALUATION_LIMIT_S))
    return _ended(turn, steps, folder / EVALUATION / files.PREDICTIONS)


def training_of(draw: Draw, taxonomy: Path) -> dict[str, Any]:
    """Return what a run file of `reshelve train` says of the labels."""
    found: dict[str, Any] = {"taxonomy": str(taxonomy), "catalog": {"uri": str(draw.train)}}
    if draw.validation:
        found["validation"] = {"uri": str(draw.validation)}
    return found


def train(settings: Mapping[str, Any], folder: Path, run_id: str, limit_s: float) -> Ran:
    """Train with Reshelve as the run file to copy does."""
    own = {"workers": {"count": 2, "cpus": 1}, "embeddings": str(folder / "embeddings")}
    return run_job("train", {**own, **settings}, folder, run_id, limit_s)


def evaluate(bundle: Path, test: Path, folder: Path, limit_s: float) -> Ran:
    """Evaluate a bundle on the test photos."""
    settings = {"bundle": str(bundle), "catalog": {"uri": str(test)}}
    return run_job("evaluate", settings, folder, EVALUATION, limit_s)


def run_job(
    job: str, settings: Mapping[str, Any], folder: Path, run_id: str, limit_s: float
) -> Ran:
    """Write a run file and run its job."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{run_id}.yaml"
    # the photos lie anywhere; a manifest says where
    described = {"output": str(folder), "run_id": run_id, "reading": {"stores": ["/"]}, **settings}
    path.write_text(yaml.safe_dump(described))
    return run_timed([f"jobs.{job}", str(path)], limit_s, path.with_suffix(".log"))


def bundle_of(folder: Path, run_id: str) -> Path:
    """Return where a training writes its bundle."""
    return folder / run_id / files.BUNDLE


def _run_peer(name: str, backbone: Backbone, draw: Draw, answers: Path, limit_s: float) -> Ran:
    command = {
        "closed form": ["frozen_head", "--head", "closed-form"],
        "logistic": ["frozen_head", "--head", "logistic"],
        "fastai": ["fastai_fine_tune", "--epochs", FASTAI_EPOCHS.get(draw.labels, "10")],
        "timm": ["timm_recipe", "--epochs", TIMM_EPOCHS.get(draw.labels, "16")],
    }[name]
    options = {
        "train": draw.train,
        "test": draw.test,
        "answers": answers,
        "network": backbone.timm_name,
        "weights": backbone.weights,
        "classes": backbone.classes,
        "size-px": backbone.size_px,
        "seed": draw.seed,
    }
    arguments = [part for key, value in options.items() for part in (f"--{key}", str(value))]
    environment = (
        {"PYTHONPATH": str(needs.peers_folder("bench-accuracy"))} if name == "fastai" else {}
    )
    return run_timed(
        [f"benchmarks.peers.{command[0]}", *command[1:], *arguments],
        limit_s,
        answers.with_suffix(".log"),
        environment,
    )


def _ended(turn: Turn, steps: Sequence[Ran], answers: Path) -> Turn:
    """Return the turn with what its commands took and said."""
    failure = next((ran.failure for ran in steps if ran.failure), "")
    first = FIRST_BUNDLE.search(steps[0].said)
    return replace(
        turn,
        train_s=steps[0].seconds,
        cpu_s=round(sum(ran.cpu_s for ran in steps), 1),
        first_bundle_s=float(first[1]) if first else None,
        predictions=None if failure else read_answers(answers),
        failure=failure,
    )


def read_answers(path: Path) -> pa.Table:
    """Read predictions of Reshelve, or answers of a peer, which has no columns but the basic."""
    found = parquet.read_table(path)
    columns = [
        found[name].cast(kind)
        if name in found.column_names
        else found["uri"]
        if name == "item_id"
        else pa.nulls(found.num_rows, kind)
        for name, kind in zip(PREDICTIONS_SCHEMA.names, PREDICTIONS_SCHEMA.types, strict=True)
    ]
    return pa.table(columns, schema=PREDICTIONS_SCHEMA).sort_by("uri")

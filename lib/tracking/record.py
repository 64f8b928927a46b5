"""What is logged of a training: parameters, figures and tags, all read from its run's folder."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from lib.evaluation.intervals import share
from lib.labels.decisions import Decision
from lib.models.bundle import Bundle, BundleInfo
from lib.runs import files
from lib.runs.heartbeat import read_beat
from lib.runs.run import Run
from lib.tracking.config import without_password
from lib.tracking.messages import Metric, Record
from lib.training.checkpoint import read_checkpoint


def describe_training(run: Run, bundle: Bundle) -> Record:
    """Describe a training that has its bundle.

    Raises:
        InputError: the run's store does not answer.
    """
    begun, beat = run.record, read_beat(run)
    began_ms = _milliseconds(begun.created_at)
    # its last sign of life: what is logged later has not ended later
    ended_ms = _milliseconds(beat.at if beat else datetime.now(UTC))
    figures = [
        Metric(key=key, value=value, step=0, at_ms=ended_ms)
        for key, value in final_figures(bundle.info).items()
        if isfinite(value)
    ]
    return Record(
        name=run.run_id,
        mark=run.unique_name,
        began_ms=began_ms,
        ended_ms=ended_ms,
        params=flatten(begun.run_file) | flatten(bundle.info.recipe, "recipe."),
        metrics=(*epoch_figures(run, began_ms), *figures),
        tags={
            "reshelve.run_id": run.run_id,
            "reshelve.run_folder": without_password(run.uri),
            "reshelve.bundle_digest": bundle.digest,
            "reshelve.taxonomy_version": bundle.taxonomy.version,
        },
        digest=bundle.digest,
    )


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested values as text, by dotted keys; those that are not set are left out."""
    found: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flatten(value, f"{prefix}{key}.")
        elif value is not None:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            found[f"{prefix}{key}"] = without_password(text)
    return found


def final_figures(info: BundleInfo) -> dict[str, float]:
    """Return a bundle's figures, and of shares of items the ends of their 95 % intervals."""
    items = round(info.metrics["validation_items"])
    accepting = [each for each in info.claims_in_use if each.decision == Decision.ACCEPT]
    accepted = sum(each.accepted for each in accepting)
    counts = {
        "validation_accuracy": (round(info.metrics["validation_accuracy"] * items), items),
        "accepted_share": (accepted, items),
        "accepted_precision": (sum(each.right for each in accepting), accepted),
    }
    found = dict(info.metrics)
    for name in counts.keys() & info.metrics.keys():
        estimate = share(*counts[name])
        found |= {f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return found


def epoch_figures(run: Run, began_ms: int) -> Iterator[Metric]:
    """Yield the figures of every epoch, of each part that was fine-tuned."""
    for part in sorted(run.names(files.FINETUNE)):
        history, _ = read_checkpoint(run.within(f"{files.FINETUNE}/{part}")) or ([], {})
        at_ms = began_ms
        for epoch in history:
            at_ms += round(1000 * epoch.seconds)
            for name, value in asdict(epoch).items():
                # where no item is held out, its figures are no numbers
                if name not in {"epoch", "epochs"} and isfinite(value):
                    key = f"{part}/{name}"
                    yield Metric(key=key, value=value, step=epoch.epoch, at_ms=at_ms)


def _milliseconds(moment: datetime) -> int:
    return round(1000 * moment.timestamp())

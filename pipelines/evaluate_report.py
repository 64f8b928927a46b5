"""The report of an evaluation, and what it says in the terminal."""

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from lib.evaluation.answers import Answers, Bools, answers_of
from lib.evaluation.findings import Findings
from lib.evaluation.metrics import evaluate
from lib.evaluation.predictions import in_common
from lib.images.config import ReadingConfig
from lib.images.thumbnails import read_thumbnails
from lib.reports.data import Thumbnail
from lib.reports.estimates import between, counted
from lib.reports.evaluation_data import EvaluationReport
from lib.reports.formats import percent
from lib.reports.links import image_link
from lib.reports.render import render_evaluation
from lib.runs import files
from lib.runs.run import Run
from lib.taxonomy.taxonomy import Taxonomy
from pipelines.steps import Say

MISTAKES = 24
CHANGED = 12  # items each, for the better and for the worse
WIDTH = 80


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What the report needs besides the findings.

    Attributes:
        predictions: of `PREDICTIONS_SCHEMA`.
        taxonomy: that they are of.
        other: the same two of the bundle that it is compared with.
        names: titles by item id.
        bundle_digest: None for a labels table.
    """

    predictions: pa.Table
    taxonomy: Taxonomy
    other: tuple[pa.Table, Taxonomy] | None
    names: Mapping[str, str | None]
    bundle_digest: str | None


def write_report(run: Run, findings: Findings, shown: Shown, reading: ReadingConfig) -> None:
    """Write the report into the run's folder."""
    predictions, taxonomy = shown.predictions, shown.taxonomy
    answers = answers_of(predictions, taxonomy, findings.subject)
    ids = answers.lineage.ids

    def show(
        rows: pa.Table,
        of: Answers,
        where: Bools,
        most: int,
        caption: Callable[[int], tuple[str, str]],
    ) -> list[Thumbnail]:
        """Read the photos of the items that it is most sure of."""
        places = np.flatnonzero(where)
        places = places[np.argsort(-np.nan_to_num(of.confidence[places]), kind="stable")][:most]
        some = rows.take(pa.array(places)).select(["item_id", "uri"]).to_pydict()
        pictures = read_thumbnails(some["uri"], reading, run.storage.config)
        return [
            Thumbnail(
                jpeg=jpeg,
                item_id=item_id,
                name=shown.names[item_id],
                category=caption(at)[0],
                other=caption(at)[1],
                confidence=float(of.confidence[at]),
                link=image_link(uri, run.storage.config),
            )
            for at, item_id, uri, jpeg in zip(
                places.tolist(), some["item_id"], some["uri"], pictures, strict=True
            )
        ]

    def name(of: Answers, place: int) -> str:
        lineage = of.lineage
        return lineage.taxonomy.by_id[lineage.ids[place]].name

    def mistake(of: Answers) -> Callable[[int], tuple[str, str]]:
        return lambda at: (name(of, of.predicted[at]), f"in truth {name(of, of.truth[at])}")

    better: list[Thumbnail] = []
    worse: list[Thumbnail] = []
    if shown.other:
        their_rows, their_taxonomy = shown.other
        our_rows, their_rows = in_common(predictions, their_rows)
        ours = answers_of(our_rows, taxonomy, findings.subject)
        theirs = answers_of(their_rows, their_taxonomy, findings.against or "")
        better = show(
            our_rows, ours, ours.right & ~theirs.right, CHANGED,
            lambda at: (
                name(ours, ours.truth[at]), f"the other says {name(theirs, theirs.predicted[at])}"
            ),
        )  # fmt: skip
        worse = show(our_rows, ours, theirs.right & ~ours.right, CHANGED, mistake(ours))
    report = EvaluationReport(
        run_id=run.run_id,
        started_at=run.record.created_at.isoformat(),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        bundle_digest=shown.bundle_digest,
        findings=findings,
        evaluation=evaluate(
            [ids[place] for place in answers.truth],
            [ids[place] for place in answers.said],
            taxonomy,
            [each.category_id for each in findings.assessment.categories],
        ),
        mistakes=show(predictions, answers, ~answers.right, MISTAKES, mistake(answers)),
        better=better,
        worse=worse,
    )
    run.write(files.REPORT, render_evaluation(report).encode())


def tell(findings: Findings, say: Say) -> str:
    """Say the main findings in lines of a terminal's width; return them in one sentence."""
    every, accepted = findings.assessment, findings.accepted
    rows = [
        ("accuracy", every.accuracy.share, counted(every.accuracy)),
        ("macro F1", every.macro_f1, ""),
        ("hierarchical F1", every.hierarchical_f1, ""),
    ]
    if every.calibration:
        rows.append(("calibration error", every.calibration.error, ""))
    if accepted:
        promised = findings.target_precision
        said = f", {percent(promised)} promised" if promised is not None else ""
        rows += [
            ("accepted", accepted.items.share, counted(accepted.items)),
            ("right of these", accepted.right.share, counted(accepted.right) + said),
        ]
    if findings.folds:
        say(f"by heads that were fitted in {findings.folds} folds on the bundle's backbone:")
    for label, figure, rest in rows:
        line = f"  {label:<18}{percent(figure.value):>7}  {between(figure):<16}  {rest}".rstrip()
        say(line.replace("\u00a0", " "))
    lines = []
    if findings.compared:
        lines.append(findings.compared.sentence("this one", str(findings.against)))
    lines += [
        f"{each.column} {each.value or '(no value)'} is worse than the rest: "
        f"{each.right:,} of {each.items:,} right ({percent(each.accuracy.value)})"
        for each in findings.slices
        if each.worse
    ]
    if findings.trained_on:
        lines.append(
            f"the bundle was trained on {findings.trained_on:,} of these items: it is right on "
            "fewer of those that it has never seen"
        )
    if left_out := findings.left_out:
        lines.append(
            f"labelled items left out: {len(left_out):,}; the first, {left_out[0].item_id}: "
            f"{left_out[0].detail}"
        )
    for line in lines:
        text = line.replace("\u00a0", " ")
        say(textwrap.fill(text, WIDTH, subsequent_indent="  ", break_long_words=False,
                          break_on_hyphens=False))  # fmt: skip
    accuracy = every.accuracy
    return (
        f"right on {counted(accuracy)} items, {percent(accuracy.share.value)} (95 % interval "
        f"{between(accuracy.share)})"
    ).replace("\u00a0", " ")

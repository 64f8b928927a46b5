"""Evaluation, step by step: a bundle or a labels table against labelled items."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lib.batches import to_parquet
from lib.catalog.left_out import LeftOut, left_out_sentence
from lib.errors import InputError
from lib.evaluation.answers import answers_of
from lib.evaluation.assessment import assess
from lib.evaluation.findings import Findings
from lib.evaluation.paired import Comparison, compare
from lib.evaluation.predictions import Answered, in_common, write_predictions
from lib.evaluation.slices import Slice, slice_by
from lib.hashing import digest_bytes, digest_json
from lib.models.bundle import Bundle
from lib.reports.evaluation_verdict import evaluation_verdict
from lib.runs import files
from lib.runs.ending import Ending
from lib.runs.heartbeat import Heartbeat
from lib.runs.progress import plural
from lib.runs.run import Intent, Run
from lib.storage.storage import Storage
from lib.taxonomy.taxonomy import Taxonomy
from pipelines.evaluate_bundle import Seen, answer, cross_validate, see
from pipelines.evaluate_inputs import (
    EvaluateRun,
    Subject,
    count_trained_on,
    open_subject,
    read_items,
    read_slices,
)
from pipelines.evaluate_report import Shown, tell, write_report
from pipelines.evaluate_table import answer_from
from pipelines.steps import Say, open_unless_ended

Both = tuple[Answered, Answered | None]  # of what is evaluated, and of what it is compared with


def evaluate(config: EvaluateRun, say: Say, ending: Ending | None = None) -> None:
    """Evaluate a bundle or a labels table; keep predictions, findings and a report.

    Args:
        config: the run file.
        say: takes each line for the person who waits.
        ending: learns which run it is, or None.

    Raises:
        InputError: something given cannot be used; no work was done.
        ReshelveError: the evaluation stopped; the same command resumes it.
    """
    storage = Storage(config.storage)
    subject = open_subject(config, storage)
    left_out = LeftOut()
    items = read_items(config, subject, left_out)
    columns = read_slices(config, items, storage)
    run = open_unless_ended(config, describe(config, subject, items, columns), storage, say, ending)
    if run is None:
        return
    say(f"{run}: {plural(items.num_rows, 'labelled item')}")
    if sentence := left_out_sentence(left_out.counts):
        say(sentence)
    with Heartbeat(run):
        both = answered, other = ask(config, subject, items, run, say)
        write_predictions(run.at(files.PREDICTIONS), storage, answered.predictions)
        if other:
            write_predictions(run.at(files.AGAINST_PREDICTIONS), storage, other.predictions)
        findings = find(config, subject, both, columns, storage)
        run.write(files.EVALUATION, findings.model_dump_json(indent=2).encode())
        write_report(run, findings, shown_of(subject, both, items), config.reading)
        sentence = tell(findings, say)
    say(f"report: {run.at(files.REPORT)}")
    run.end({"state": "evaluated", "sentence": sentence, **figures_of(findings)})


def figures_of(findings: Findings) -> dict[str, Any]:
    """Return the figures that a scheduler would branch on."""
    assessment, compared = findings.assessment, findings.compared
    return {
        "items": assessment.items,
        "accuracy": assessment.accuracy.share.value,
        "verdict": evaluation_verdict(findings).word,
        "promise_broken": findings.promise_broken,
        "compared": compared.verdict if compared else None,
    }


def describe(config: EvaluateRun, subject: Subject, items: pa.Table, columns: pa.Table) -> Intent:
    """Return the run's fingerprint, and its run file without secrets."""
    bundle, against = subject.bundle, subject.against
    return Intent(
        job="evaluate",
        fingerprint={
            "subject": bundle.digest if bundle else digest_json([subject.name, subject.version]),
            "against": against.digest if against else "",
            "taxonomy": subject.taxonomy.digest,
            "snapshot": digest_bytes(to_parquet(items) + to_parquet(columns)),
            "folds": str(config.folds or ""),
        },
        run_file=config.model_dump(mode="json", exclude={"storage"}),
    )


def ask(config: EvaluateRun, subject: Subject, items: pa.Table, run: Run, say: Say) -> Both:
    """Ask what is evaluated about the items, and what it is compared with.

    Raises:
        InputError: folds are wanted, and a category has one item alone.
        ReshelveError: no image can be read.
    """
    seen: Seen | None = None
    if subject.bundle:
        seen = see(run, subject.bundle, items, config, say)
        answered = _ask_bundle(config, subject.bundle, seen, run, own=True)
    else:
        assert subject.table
        assert subject.version is not None
        answered = answer_from(subject.table, subject.version, items)
        if not answered.predictions.num_rows:
            raise InputError(
                f"{subject.name}: none of the {items.num_rows:,} labelled items has a label here; "
                "the two are joined by item_id, and by etag where both have one"
            )
    if not subject.against:
        return answered, None
    if not (seen and subject.bundle and _same_backbone(subject.bundle, subject.against)):
        within = run.within(files.AGAINST)
        seen = see(within, subject.against, items, config, say)
    return answered, _ask_bundle(config, subject.against, seen, run, own=False)


def _ask_bundle(
    config: EvaluateRun, bundle: Bundle, seen: Seen, run: Run, *, own: bool
) -> Answered:
    if config.folds:
        return cross_validate(seen, bundle, config.folds, config.catalog.uri)
    return answer(seen, bundle, run, own=own)


def _same_backbone(one: Bundle, other: Bundle) -> bool:
    """Whether no image is to be read twice."""
    alike = one.info.preprocessing == other.info.preprocessing
    return alike and one.backbone_digest == other.backbone_digest


def find(
    config: EvaluateRun, subject: Subject, both: Both, columns: pa.Table, storage: Storage
) -> Findings:
    """Measure the answers."""
    answered, other = both
    predictions, taxonomy = answered.predictions, subject.taxonomy
    promised = subject.bundle.info.target_precision if subject.bundle else None
    against = subject.against
    return Findings(
        subject=subject.name,
        version=subject.version,
        taxonomy_version=taxonomy.version,
        catalog=config.catalog.uri,
        folds=config.folds,
        assessment=assess(predictions, taxonomy, subject.name),
        left_out=answered.left_out,
        trained_on=0 if config.folds else count_trained_on(subject, predictions, storage),
        # what a bundle promises is of its own head
        target_precision=None if config.folds else promised,
        against=against.uri if against else None,
        against_assessment=assess(other.predictions, against.taxonomy, against.uri)
        if other and against
        else None,
        compared=_compare(predictions, taxonomy, other.predictions, against.taxonomy)
        if other and against
        else None,
        slices=_slice(predictions, taxonomy, columns),
    )


def _compare(
    ours: pa.Table, our_taxonomy: Taxonomy, theirs: pa.Table, their_taxonomy: Taxonomy
) -> Comparison:
    """Compare two models on the items that both have answered."""
    ours, theirs = in_common(ours, theirs)
    return compare(
        answers_of(ours, our_taxonomy, "").right, answers_of(theirs, their_taxonomy, "").right
    )


def shown_of(subject: Subject, both: Both, items: pa.Table) -> Shown:
    """Return what the report needs besides the findings."""
    answered, other = both
    against = subject.against
    return Shown(
        predictions=answered.predictions,
        taxonomy=subject.taxonomy,
        other=(other.predictions, against.taxonomy) if other and against else None,
        names=dict(zip(items["item_id"].to_pylist(), items["name"].to_pylist(), strict=True)),
        bundle_digest=subject.bundle.digest if subject.bundle else None,
    )


def _slice(predictions: pa.Table, taxonomy: Taxonomy, columns: pa.Table) -> list[Slice]:
    place = pc.index_in(predictions["item_id"], columns["item_id"].combine_chunks())
    values = {
        name: columns[name].take(place).to_pylist()
        for name in columns.column_names
        if name != "item_id"
    }
    return slice_by(values, answers_of(predictions, taxonomy, "").right)

"""The figures of a training and of an evaluation, each with its interval, as lines to read."""

from lib.evaluation.assessment import Share
from lib.evaluation.findings import Findings
from lib.reports.estimates import between, counted, spread
from lib.reports.formats import count, decimal, items, percent
from lib.reports.training_data import TrainingReport
from lib.runs.progress import duration

Facts = list[tuple[str, str]]


def training_facts(report: TrainingReport) -> Facts:
    """Return what there is to know of a training beside what it would accept."""
    facts: Facts = []
    if report.accuracy.whole:
        facts.append(("Accuracy", _share(report.accuracy)))
    facts.append(("Trained on", f"{items(report.train_items)} of {_categories(report)}"))
    if report.suspicious_items:
        said = count(report.suspicious_items)
        if report.very_likely_wrong:
            said += f", {count(report.very_likely_wrong)} very likely"
        facts.append(("Likely wrong labels", said))
    if report.unusable:
        facts.append(("Unusable images", count(len(report.unusable))))
    first = report.first_bundle_s
    took = duration(report.seconds)
    if first is not None:
        took += f", a first bundle after {duration(first)}"
    return [*facts, ("Time, from the command", took)]


def _categories(report: TrainingReport) -> str:
    number = len(report.evaluation.categories)
    return "1 category" if number == 1 else f"{count(number)} categories"


def evaluation_facts(found: Findings) -> Facts:
    """Return the figures of an evaluation."""
    whole, accepted = found.assessment, found.accepted
    facts = [
        ("Accuracy", _share(whole.accuracy)),
        ("Macro F1", f"{percent(whole.macro_f1.value)} ({between(whole.macro_f1)})"),
        (
            "Hierarchical F1",
            f"{percent(whole.hierarchical_f1.value)} ({between(whole.hierarchical_f1)})",
        ),
    ]
    if accepted:
        facts.append(("Accepted", _share(accepted.items)))
        facts.append(("Right among accepted", _share(accepted.right)))
    if measured := whole.calibration:
        error = f"{percent(measured.error.value)} ({between(measured.error)})"
        facts.append(("Calibration error", error))
        scores = {"Log loss": measured.log_loss, "Brier score": measured.brier}
        facts += [
            (name, f"{decimal(each.value)} ({spread(each)})")
            for name, each in scores.items()
            if each
        ]
    if found.left_out:
        facts.append(("Items left out", count(len(found.left_out))))
    return facts


def _share(share: Share) -> str:
    return f"{percent(share.share.value)} ({counted(share)}; {between(share.share)})"

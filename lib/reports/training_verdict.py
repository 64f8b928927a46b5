"""The first thing that a reader of a training sees: may it be used, and what to do next."""

from lib.evaluation.intervals import share
from lib.labels.decisions import Decision
from lib.labels.promises import Claim
from lib.reports.estimates import between
from lib.reports.formats import count, items, percent
from lib.reports.training_data import TrainingReport
from lib.reports.verdicts import Verdict

OFTEN_WRONG = 0.7  # below this accuracy nobody wants to see a green page
GOOD_COVERAGE = 0.5  # share of the items that are accepted


def training_verdict(report: TrainingReport) -> Verdict:
    """Say how accurate the model is, what may be accepted of it, and what to do next."""
    accuracy = report.accuracy
    if not accuracy.whole:
        return Verdict(
            tone="warn",
            word="Not evaluated",
            headline="No item was held out, so nothing is known of this model's accuracy.",
            detail="Give the run labelled items to validate on before you use its bundle.",
        )
    tone, word, next_step = _judge(report)
    return Verdict(
        tone=tone,
        word=word,
        headline=f"Right on {count(accuracy.part)} of {items(accuracy.whole)} that it had not "
        f"seen: {percent(accuracy.share.value)} (95 % interval {between(accuracy.share)}).",
        detail=f"{_promise(report)} {next_step}",
    )


def _judge(report: TrainingReport) -> tuple[str, str, str]:
    """Return tone, word, and what to do next."""
    accuracy, guessing = report.accuracy.share, report.guessing
    if accuracy.low <= guessing and accuracy.value < OFTEN_WRONG:
        next_step = (
            f"Always naming the most frequent category is right on {percent(guessing)}: do not use "
            "this model; check that the labels belong to the photos, then label more."
        )
        return "bad", "No better than guessing", next_step
    if report.labels_look_wrong:
        next_step = (
            f"{count(report.very_likely_wrong)} labels are very likely wrong: correct those that "
            "are shown under 'Likely wrong labels', then train again."
        )
        return "warn", "Labels look wrong", next_step
    warnings = {
        "Often wrong": accuracy.value < OFTEN_WRONG,
        "Nothing can be promised": not any(claim.is_kept for claim in _leaves(report)),
        "Few labels accepted": report.coverage < GOOD_COVERAGE,
    }
    for word, is_so in warnings.items():
        if is_so:
            return "warn", word, _what_to_label(report)
    return "good", "Ready", "It is ready to classify with."


def _leaves(report: TrainingReport) -> list[Claim]:
    return [claim for claim in report.claims if claim.decision == Decision.ACCEPT]


def _promise(report: TrainingReport) -> str:
    """Say what is accepted, and what of that is right."""
    leaves = _leaves(report)
    kept = [claim for claim in leaves if claim.is_kept]
    if not kept:
        lack = f": {leaves[0].lack}" if len(leaves) == 1 else ""
        return f"It accepts no label without a person's review{lack}."
    accepted, whole = sum(each.accepted for each in kept), sum(each.items for each in leaves)
    right = sum(each.right for each in kept)
    return (
        f"It accepts {percent(accepted / whole)} of them ({count(accepted)} of {count(whole)}) "
        f"without a person's review; right are {count(right)} of {count(accepted)} (95 % interval "
        f"{between(share(right, accepted))})."
    )


def _what_to_label(report: TrainingReport) -> str:
    """Say what would help most, as far as is known."""
    for advice in report.advice:
        if advice.is_worth_labelling:
            return f"Label more: {advice.sentence}"
    if report.suspicious_items:
        return "Look at the photos under 'Likely wrong labels', and label more of the weakest."
    return "Look at the surest mistakes below, and label more photos like them."

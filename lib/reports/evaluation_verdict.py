"""The first thing that a reader of an evaluation sees."""

from lib.evaluation.assessment import Decided
from lib.evaluation.findings import Findings
from lib.evaluation.paired import Verdict as Paired
from lib.reports.estimates import between
from lib.reports.formats import count, items, percent, share
from lib.reports.verdicts import Verdict

OFTEN_WRONG = 0.7  # below this accuracy nobody wants to see a green page
MANY_LEFT_OUT = 0.05


def evaluation_verdict(found: Findings) -> Verdict:
    """Say how accurate a model is, whether it keeps its promise, and whether it is better."""
    accuracy, compared = found.assessment.accuracy, found.compared
    headline = (
        f"Right on {percent(accuracy.share.value)} of {items(accuracy.whole)} "
        f"(95 % interval {between(accuracy.share)})"
    )
    if compared and compared.verdict is Paired.SAME:
        headline += "; it cannot be told apart from the bundle that it is compared with"
    elif compared:
        headline += (
            f"; it is {compared.verdict} than the bundle that it is compared with, by "
            f"{abs(100 * compared.difference):.1f} points"
        )
    tone, word = _tone(found)
    return Verdict(tone=tone, word=word, headline=f"{headline}.", detail=_detail(found))


def _tone(found: Findings) -> tuple[str, str]:
    left_out = share(len(found.left_out), len(found.left_out) + found.assessment.items)
    compared = found.compared.verdict if found.compared else Paired.SAME
    warnings = {
        "Asked about its own training": found.trained_on > 0,
        "Promise not kept": found.promise_broken,
        "Worse": compared is Paired.WORSE,
        "Often wrong": found.assessment.accuracy.share.value < OFTEN_WRONG,
        "Many items left out": left_out > MANY_LEFT_OUT,
    }
    for word, is_so in warnings.items():
        if is_so:
            return "warn", word
    return "good", "Better" if compared is Paired.BETTER else "Evaluated"


def _detail(found: Findings) -> str:
    if found.trained_on:
        return (
            f"The bundle was trained on {count(found.trained_on)} of these items, and is right on "
            "fewer of those that it has never seen: evaluate it on others, or with 'folds'."
        )
    if found.folds:
        return (
            f"By heads that were fitted in {found.folds} folds on the bundle's frozen backbone, "
            "each asked only about items that it has not seen."
        )
    if not found.assessment.decisions:
        return "No labels were made of these predictions."
    if not (accepted := found.accepted):
        return "No item is accepted: each falls back to a parent category, or waits for a person."
    return _promise(accepted, found)


def _promise(accepted: Decided, found: Findings) -> str:
    right, target = accepted.right, found.target_precision
    said = (
        f"{percent(accepted.items.share.value)} of the items are accepted, {count(right.part)} of "
        f"{count(right.whole)} rightly: {percent(right.share.value)} ({between(right.share)})"
    )
    if target is None:
        return f"{said}."
    if found.promise_broken:
        return f"{said}, though {percent(target)} is promised."
    if right.share.value < target:
        return (
            f"{said}. {percent(target)} is promised; so few items do not show that it is not kept."
        )
    return f"{said}; {percent(target)} is promised."

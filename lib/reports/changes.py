"""What a night has found changed, as a sentence."""

from collections.abc import Mapping, Sequence

from lib.reports.formats import count, items

WORDS = {
    "new": "{} new",
    "changed": "{} with another image",
    "retried": "{} tried again after an error",
    "redone": "{} classified anew",
    "answered": "{} decided or taken back by people",
    "removed": "{} gone from the catalog",
}


def listed(said: Sequence[str]) -> str:
    """Put the parts of a sentence in a row."""
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def changes_sentence(diff: Mapping[str, int]) -> str:
    """Say how many items were what, compared with the labels that were published before."""
    said = [words.format(count(diff[key])) for key, words in WORDS.items() if diff.get(key)]
    stay = diff.get("unchanged", 0)
    if not stay and len(said) == 1 and diff.get("new"):
        return f"The table had no label of these items before: {said[0]}."
    unchanged = f"{items(stay)} {'is' if stay == 1 else 'are'} as before"
    if not said:
        return f"Nothing: {unchanged}."
    return f"Since the labels that were published before: {listed(said)}; {unchanged}."

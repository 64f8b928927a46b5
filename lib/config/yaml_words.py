"""What is wrong in YAML, in a reader's words, and the line to look at where it may be shown."""

import re

import yaml

# the parser's words, and what they mean to whoever wrote the file; {line} is where a part began
_MEANINGS = {
    r"expected ',' or": "the bracket of line {line} is not closed, or a comma is missing",
    r"expected '-'|expected key|<block end>": (
        "this does not fit what comes before it: look at indentation and quotes, and whether "
        "'- item' and 'key: value' are mixed"
    ),
    r"mapping values are not allowed": (
        "an unexpected ':': look at the indentation of this line and of the one above it; text "
        "that holds ': ' goes in quotes"
    ),
    r"unexpected end of stream": "the quote of line {line} is not closed",
    r"cannot start any token": "text may not begin with this character: put it in quotes",
    r"another document": "a second document begins here with '---', and a file has one",
    r"constructor for the tag": "a word with '!' is a tag, and none is known here: use quotes",
    r"undefined alias": "'*' names what '&' has marked elsewhere, and nothing is: use quotes",
    r"unknown escape": "in double quotes a '\\' begins an escape: use single quotes",
    r"unhashable key": "a key is a list or has keys itself: expected text",
    r"for merging": "'<<' takes the keys of another part, as in '<<: *name'",
}
# keys below which a secret may stand, and words of those that hold one
_HIDDEN = "storage|notify"
_HIDDEN_WORDS = re.compile(rf"{_HIDDEN}|secret|token|passw|webhook|key", re.IGNORECASE)


def problem_of(error: yaml.MarkedYAMLError, text: str) -> str:
    """Return what is wrong in a reader's words, or in the parser's where there are none.

    Args:
        error: the parser's.
        text: of the file.
    """
    if mark := error.problem_mark:
        before = "".join(text.splitlines()[mark.line : mark.line + 1])[: mark.column + 1]
        if "\t" in before and not before.strip():
            return "a tab, which YAML does not allow here: indent with spaces"
    # an unquoted password may look like a tag or an alias, and is not repeated
    problem = re.sub(r"(tag|alias) '.*'", r"\1", error.problem or "")
    begun = error.context_mark.line + 1 if error.context_mark else 1
    for pattern, meaning in _MEANINGS.items():
        if re.search(pattern, problem):
            return meaning.format(line=begun)
    return problem


def shown_line(text: str, number: int) -> str:
    """Return a line of a file for a message, or nothing where it is empty or may hold a secret.

    Args:
        text: of the file, which cannot be parsed.
        number: of the line, from 0.
    """
    lines = text.splitlines()
    if number >= len(lines) or not (line := lines[number].strip()):
        return ""
    above = "\n".join(lines[: number + 1])
    sections = re.findall(r"^[^\s#}\]-].*", above, re.MULTILINE)
    opened = re.search(rf"({_HIDDEN})\b.*[{{\[]", above)
    inside = above[opened.start() :] if opened else ""
    may_be_secret = (
        _HIDDEN_WORDS.search(line)
        or (sections and _HIDDEN_WORDS.search(sections[-1]))
        or inside.count("{") > inside.count("}")
        or inside.count("[") > inside.count("]")
    )
    return "" if may_be_secret else f"; the line reads: {line:.80}"

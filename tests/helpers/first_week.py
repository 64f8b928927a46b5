"""Run docs/first-week.md as a reader would, and compare what it shows: `make first-week`.

The page holds the commands, and below each what it printed. They run in order, in one shell, in a
folder that is empty at first. `--write` writes what they print into the page, so that its
transcript is always one of a real run. Between two runs these may differ, and nothing else:

1. dates and times of day, and how long something takes or took;
2. how many images a second are read, by how many actors, in what share of a node's hour;
3. progress: of lines that follow one another, the page has the last, and none that comes only where
   something takes long;
4. what other hardware may decide otherwise (docs/promises.md): which of several equally good heads
   a training takes, and which labels right at a threshold go to review;
5. the folder, which is /tmp/week in the page, and who works there, who is called ana.
"""

import argparse
import difflib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "first-week.md"
FOLDER = "/tmp/week"  # noqa: S108  # what the page calls it; it runs in a new one each time
PERSON = "ana"
BLOCK = re.compile(r"(?<=^```)(\w+)\n(.*?)(?=^```$)", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\S+\.\w+)\n")  # the first line of a block that is a file
PROGRESS = re.compile(
    r"(^[\d,]+ of [\d,]+ items, .* left\n)+(?=[\d,]+ of [\d,]+ items, )"
    r"|^[\d,]+ of [\d,]+ items, waiting for .*\n|^still .*\n"
    r"|^(reading the bundle|looking for a run to resume|writing the plan)\n",
    re.MULTILINE,
)
# what differs from run to run, and what stands in its place where two runs are compared
VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[:\d.]*(\+00:00)?"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)? (s|min|h)\b( \d\d (s|min)\b)?"), "DURATION"),
    (re.compile(r"[\d,.]+ (?:images|items)/s( with \d+ actors?)?"), "RATE"),
    (re.compile(r"\b(\w+_s|node_hours \w+) [\d,.]*\d"), r"\1 N"),
    (re.compile(r"^head: .*, the best of", re.MULTILINE), "head: one, the best of"),
    (re.compile(r", \d+ of them for review"), ""),
)
MARK = "--- the next command"


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a reader does: saves a file, or types a command, and what is shown then."""

    script: str
    typed: str = ""
    shown: str = ""


def read_steps(kind: str, text: str) -> list[Step]:
    """Read the steps of one block of the page: none where it is only to be read."""
    if name := FILE.match(text):
        return [Step(script=f"cat > {shlex.quote(name[1])} <<'END OF FILE'\n{text}END OF FILE\n")]
    if kind != "console":
        return []
    steps: list[Step] = []
    for line in text.splitlines(keepends=True):
        last = steps[-1] if steps else None
        if line.startswith("$ "):
            steps.append(Step(script=line[2:], typed=line))
        elif last is None:
            raise ValueError(f"a block begins with what no command has printed: {line}")
        elif last.script.endswith("\\\n") and not last.shown:
            steps[-1] = replace(last, script=last.script + line, typed=last.typed + line)
        else:
            steps[-1] = replace(last, shown=last.shown + line)
    return steps


def run_all(steps: Sequence[Step], folder: str) -> Iterator[str]:
    """Run all steps in one shell that begins in the checkout; yield what each prints."""
    mark = f"code=$?; echo '{MARK}'; (exit $code)\n"  # `$?` is the command's, as it would be
    script = "".join(step.script + mark for step in steps).replace(FOLDER, folder)
    with subprocess.Popen(  # noqa: S603  # our own page's commands
        ["bash", "-c", f"exec 2>&1\n{script}"],  # noqa: S607  # wherever bash is
        cwd=ROOT,
        env={**os.environ, "LOGNAME": PERSON, "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as shell:
        printed = ""
        for line in shell.stdout or ():
            if line.rstrip() == MARK:
                yield PROGRESS.sub("", printed.replace(folder, FOLDER))
                printed = ""
            else:
                printed += line
        if printed:
            raise RuntimeError(f"the shell ended in the midst of a command: {printed}")


def same_each_time(text: str) -> str:
    """Put a word in the place of all that differs from run to run."""
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return text


def rewritten(page: str) -> str:
    """Run the page's steps; return it with what they print now."""
    blocks = list(BLOCK.finditer(page))
    steps = [step for block in blocks for step in read_steps(block[1], block[2])]
    with tempfile.TemporaryDirectory(prefix="first-week-") as folder:
        printed = []
        for step, said in zip(steps, run_all(steps, folder), strict=True):
            sys.stdout.write(f"{step.typed}{said}")
            sys.stdout.flush()
            printed.append(said)
    left = iter(printed)

    def renewed(block: re.Match[str]) -> str:
        now = [(step, next(left)) for step in read_steps(block[1], block[2])]
        told = "".join(step.typed + said for step, said in now)
        return f"{block[1]}\n{told}" if told.strip() and block[1] == "console" else block[0]

    return BLOCK.sub(renewed, page)


def main() -> int:
    """Return 0 where the page shows what its commands print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write what is printed into the page")
    write = parser.parse_args().write
    page = PAGE.read_text()
    now = rewritten(page)
    if write:
        PAGE.write_text(now)
        return 0
    told, true = (same_each_time(each).splitlines() for each in (page, now))
    differences = list(difflib.unified_diff(told, true, "the page", "this run", lineterm=""))
    if differences:
        advice = "the page shows what is no longer printed; make first-week WRITE=1 mends it"
        sys.stderr.write("\n".join([*differences, advice, ""]))
    return bool(differences)


if __name__ == "__main__":
    sys.exit(main())

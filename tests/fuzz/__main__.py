"""Fuzz every reader of what comes from outside: `python -m tests.fuzz SECONDS`, of each."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "benchmarks" / "out" / "fuzz"


def main(seconds: str) -> int:
    """Fuzz as many readers at a time as there are CPUs; return the number with a fault."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return sum(pool.map(lambda target: fuzz(target, seconds), TARGETS))


def fuzz(target: str, seconds: str) -> bool:
    """Fuzz one reader and say how it went; return whether there was a fault."""
    log = LOGS / f"{target}.log"
    with log.open("w") as file:
        ended = subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-m", "tests.fuzz.one", target, seconds],
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    said = log.read_text(errors="replace")
    tried = re.search(r"number_of_executed_units: (\d+)", said)
    inputs = f"{int(tried[1]):,} inputs" if tried else "no input"
    if not ended.returncode:
        print(f"{target}: {inputs}, no fault", flush=True)  # noqa: T201  # for a person
        return False
    last = "\n".join(said.splitlines()[-40:])
    print(f"{target}: {inputs}, and a FAULT; {log} says:\n{last}", flush=True)  # noqa: T201  # as above
    return True


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

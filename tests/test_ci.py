"""What is checked at a commit, and by the repository's host, is what `make` runs."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]


def test_a_commit_runs_what_make_check_runs() -> None:
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    hooks: Any = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]

    commands = [
        line.strip().replace("$(RUN)", ".venv/bin/python -m") for line in recipe[1].splitlines()
    ]
    assert [hook["entry"] for hook in hooks] == commands


def test_the_host_runs_targets_that_there_are() -> None:
    workflow: Any = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yml").read_text())
    steps = [step.get("run", "") for step in workflow["jobs"]["check"]["steps"]]
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)

    made = {step.removeprefix("make ") for step in steps if step.startswith("make ")}
    assert made == {"check", "test"}
    assert made <= set(targets)

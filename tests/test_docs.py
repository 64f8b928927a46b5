"""The docs are true: every key, command, option, column and code is in them, and links lead on."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined, to_jsonable_python
from typer.main import get_command

from jobs.__main__ import app
from lib.config.config import Config
from lib.desk.config import DeskConfig
from lib.errors import ReshelveError
from lib.labels.decisions import Decision
from lib.reasons import MEANINGS
from lib.runs.begin import begin_run
from lib.runs.ending import Ending
from lib.runs.run import Intent
from lib.schemas import TABLE_SCHEMA
from lib.tracking.config import MlflowConfig
from pipelines.backfill_inputs import BackfillRun
from pipelines.classify import ClassifyRun
from pipelines.discover_inputs import DiscoverRun
from pipelines.embed import EmbedRun
from pipelines.evaluate_inputs import EvaluateRun
from pipelines.match_inputs import MatchRun
from pipelines.train_config import TrainRun
from tests.helpers.catalogs import LOCAL

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
RUN_FILES = ROOT / "docs" / "run-files.md"
JOBS: dict[str, type[Config]] = {
    "train": TrainRun,
    "classify": ClassifyRun,
    "backfill": BackfillRun,
    "embed": EmbedRun,
    "evaluate": EvaluateRun,
    "match": MatchRun,
    "discover": DiscoverRun,
    "desk": DeskConfig,
}
REQUIRED = "required"
STOPPED_BY_A_PERSON = 130


class Table(NamedTuple):
    heading: str
    columns: list[str]
    rows: list[list[str]]


def read_tables(page: Path) -> Iterator[Table]:
    heading, lines = "", []
    for line in [*page.read_text().splitlines(), ""]:
        if line.startswith("|"):
            lines.append([cell.strip() for cell in line.strip("|").split("|")])
            continue
        if lines:
            columns, rule, *rows = lines
            assert {*"".join(rule)} == {"-"}, f"{page.name}: a table without a head: {columns}"
            yield Table(heading, columns, rows)
            lines = []
        if line.startswith("#"):
            heading = line.lstrip("# ")


TABLES = list(read_tables(RUN_FILES))


def table_of(first_column: str, heading: str = "") -> Table:
    (found,) = (
        each
        for each in TABLES
        if each.columns[0] == first_column and each.heading.startswith(heading)
    )
    return found


def unquoted(cell: str) -> str:
    """Return what stands first in a cell, between backticks or as a word."""
    found = re.match(r"`([^`]+)`|\w+", cell)
    assert found, f"a cell begins with a name: {cell}"
    return found[1] or found[0]


def keys_of(table: Table) -> dict[str, Any]:
    """Return the default of each key, as a table says them."""
    keys: dict[str, Any] = {}
    for key, _, default in table.rows:
        value = unquoted(default)
        keys[unquoted(key)] = value if value == REQUIRED else yaml.safe_load(value)
    return keys


def walk(model: type[BaseModel], prefix: str = "", given: Any = None) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  # a model's default
    """Yield each key below a model with its default, as YAML would give it."""
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        if given is not None:
            default = getattr(given, name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            nested = None if default is PydanticUndefined else default
            yield from walk(field.annotation, f"{prefix}{name}.", nested)
        else:
            value = REQUIRED if default is PydanticUndefined else to_jsonable_python(default)
            yield f"{prefix}{name}", value


def shared_keys() -> dict[str, Any]:
    """Return the keys of the parts that jobs share, each under a heading of its own name."""
    keys: dict[str, Any] = {}
    for table in TABLES:
        if table.columns[0] == "key" and table.heading.startswith("`"):
            assert {key.partition(".")[0] for key in keys_of(table)} == {unquoted(table.heading)}
            keys |= keys_of(table)
    return keys


def own_keys(job: str) -> dict[str, Any]:
    (table,) = (each for each in TABLES if each.heading.endswith(f"`reshelve {job} RUN.yaml`"))
    return keys_of(table)


@pytest.mark.parametrize("job", JOBS)
def test_every_key_of_a_run_file_stands_in_its_page_with_its_default(job: str) -> None:
    true, own = dict(walk(JOBS[job])), own_keys(job)

    told = {**{key: value for key, value in shared_keys().items() if key in true}, **own}

    assert told == true


@pytest.mark.parametrize("job", JOBS)
def test_a_job_names_the_parts_that_it_shares(job: str) -> None:
    _, _, section = RUN_FILES.read_text().partition(f"`reshelve {job} RUN.yaml`\n")
    sentence = re.search(r"Shared parts: ([^.]+)\.", section)
    assert sentence

    true = {key.partition(".")[0] for key, _ in walk(JOBS[job])} & {
        key.partition(".")[0] for key in shared_keys()
    }
    assert {*re.findall(r"\[`(\w+)`\]", sentence[1])} == true


def test_the_page_has_no_shared_key_that_no_job_knows() -> None:
    known = {key for model in JOBS.values() for key, _ in walk(model)}

    assert shared_keys().keys() <= known


def test_every_key_below_mlflow_stands_in_the_page_with_its_default() -> None:
    assert keys_of(table_of("key below `mlflow`")) == dict(walk(MlflowConfig))


def commands() -> dict[str, Any]:
    """Return each command of `reshelve` by its full name."""
    found: dict[str, Any] = {}
    waiting: list[tuple[str, Any]] = [("", get_command(app))]
    while waiting:
        name, command = waiting.pop()
        below: Mapping[str, Any] = getattr(command, "commands", {})
        waiting += [(f"{name} {each}".strip(), below[each]) for each in below]
        if not below:
            found[name] = command
    return found


def test_every_command_stands_in_the_page() -> None:
    told = [unquoted(row[0]) for row in table_of("command").rows]

    # what follows the name is what it takes, in capitals
    names = {re.sub(r"^reshelve|\s[A-Z].*", "", each).strip() for each in told}
    assert names == commands().keys()


def test_every_option_stands_in_the_page() -> None:
    told = {
        (command, unquoted(option).partition(" ")[0])
        for option, of, _ in table_of("option").rows
        for command in re.findall(r"`([^`]+)`", of)
    }

    true = set()
    for name, command in commands().items():
        for option in command.params:
            if option.param_type_name == "option":
                # of a pair, the one that changes something
                opposite = option.secondary_opts if option.default else []
                true.add((name, [*opposite, *option.opts][0]))
    assert told == true


def test_every_column_of_the_labels_table_stands_in_the_page() -> None:
    assert [unquoted(row[0]) for row in table_of("column").rows] == TABLE_SCHEMA.names


def test_every_decision_stands_in_the_page() -> None:
    assert {unquoted(row[0]) for row in table_of("value").rows} == {*Decision}


def test_every_reason_code_stands_in_the_page_with_its_meaning() -> None:
    told = {unquoted(row[0]): row[1] for row in table_of("code", "Reason codes").rows}

    assert told.keys() == {*MEANINGS}
    assert {code: told[code][: len(meaning)] for code, meaning in MEANINGS.items()} == MEANINGS


def test_every_exit_code_stands_in_the_page() -> None:
    told = {int(row[0]) for row in table_of("code", "Exit codes").rows}

    kinds: list[type[ReshelveError]] = [ReshelveError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert told == {0, STOPPED_BY_A_PERSON, *(kind.exit_code for kind in kinds)}


def test_every_field_of_the_last_line_stands_in_the_page(tmp_path: Path) -> None:
    told = {each for row in table_of("field", "The last line").rows for each in names_in(row[0])}
    run = begin_run(str(tmp_path), "night", Intent(job="", fingerprint={}, run_file={}), LOCAL)

    # what a job adds of its own, tests/pipelines and tests/jobs look at
    assert Ending("classify", run).to_json().keys() <= told


def test_every_state_that_a_run_ends_in_stands_in_the_page() -> None:
    told = {each for row in table_of("state").rows for each in names_in(row[0])}
    code = "".join(path.read_text() for path in (ROOT / "pipelines").glob("*.py"))

    ended = {*re.findall(r'"state": "(\w+)"', code), *re.findall(r'\.tell\("([\w ]+)"', code)}
    assert {"trained", "planned"} <= ended <= told


def names_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as its host makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())

    lost = []
    for link in links:
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert not lost


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_table_of_a_page_is_one(page: Path) -> None:
    for table in read_tables(page):
        assert {len(row) for row in table.rows} == {len(table.columns)}, table.heading


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_every_room_stands_in_the_maps_of_the_code(page: str) -> None:
    text = (ROOT / page).read_text()
    rooms = {path.parent.name for path in (ROOT / "lib").glob("*/__init__.py")}

    assert {
        room for room in rooms if not re.search(rf"^ .*\b{room}\b", text, re.MULTILINE)
    } == set()

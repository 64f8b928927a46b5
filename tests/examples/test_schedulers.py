"""The examples of schedulers are read by the schedulers themselves, and run a night in each."""

import configparser
import fcntl
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lib.errors import ConflictError, GateError, InputError
from tests.helpers.jobs import told_by
from tests.helpers.schedulers import EXAMPLES, INSTALLED, Mailbox, Place, environment, mail_server

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]

FOR_A_PERSON = {each.exit_code for each in (InputError, GateError, ConflictError)}
STOPPED, KILLED = 1, 137
# tells of a DAG as Airflow reads it, and runs it once
AIRFLOW = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1])
assert not bag.import_errors, bag.import_errors
(dag,) = bag.dags.values()
run = dag.test()
told = {each.task_id: [each.state, each.try_number] for each in run.get_task_instances()}
said = run.get_task_instance("classify").xcom_pull(task_ids="classify")
retries = {each.task_id: each.retries for each in dag.tasks}
print(json.dumps({"tasks": told, "retries": retries, "said": said}))
"""
# loads all that the file defines as Dagster does, and makes the asset once
DAGSTER = """
import json, sys
import dagster as dg, dagster_night as night
dg.Definitions.validate_loadable(night.defs)
(schedule,) = night.defs.schedules
made = dg.materialize([night.labels], raise_on_error=False)
events = [each.event_type_value for each in made.all_events]
metadata = [
    {key: value.value for key, value in each.metadata.items()}
    for each in made.asset_materializations_for_node("labels")
]
retries = night.labels.node_def.retry_policy.max_retries
print(json.dumps({"events": events, "metadata": metadata, "retries": retries}))
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.prepare()
    return place


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as box:
        yield box


def python_of(scheduler: str) -> str:
    """The Python that has a scheduler; it cannot stand beside our own packages."""
    python = INSTALLED / scheduler / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{scheduler} is not installed; `make test-examples` does it")
    return str(python)


def run(*command: str | Path, at: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # our own examples
        command, cwd=at, env=environment(**more), capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the database of an Airflow."""
    home = tmp_path_factory.mktemp("airflow")
    airflow = Path(python_of("airflow")).with_name("airflow")
    made = run(airflow, "db", "migrate", at=home, AIRFLOW_HOME=str(home))
    assert made.returncode == 0, made.stdout + made.stderr
    return home


def run_airflow(place: Place, home: Path, mailbox: Mailbox) -> dict[str, Any]:
    copied = place.copy("airflow_night.py")
    (home / "dags").mkdir(exist_ok=True)
    dag = shutil.copy(copied, home / "dags")
    extra = "disable_ssl=true&disable_tls=true&from_email=airflow%40example.com"
    done = run(
        *(python_of("airflow"), "-c", AIRFLOW, dag),
        at=home,
        AIRFLOW_HOME=str(home),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW_CONN_SMTP_DEFAULT=f"smtp://127.0.0.1:{mailbox.port}/?{extra}",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return told_by(done.stdout)


def test_airflow_tries_a_refused_run_file_once_and_mails_the_sentence(
    place: Place, airflow_home: Path, mailbox: Mailbox
) -> None:
    place.refuse()

    told = run_airflow(place, airflow_home, mailbox)

    # one that is to be tried again would be up for it
    assert told["tasks"]["classify"] == ["failed", 1]
    assert told["retries"]["classify"] == 3
    assert told["tasks"]["use"][0] == "upstream_failed"
    assert [mail["To"] for mail in mailbox.mails] == ["catalog@example.com"]
    assert "unknown key 'nonsense'" in mailbox.texts[0]


@pytest.mark.ray
def test_airflow_goes_on_with_new_labels_by_what_the_last_line_says(
    place: Place, airflow_home: Path, mailbox: Mailbox
) -> None:
    place.let_run()

    told = run_airflow(place, airflow_home, mailbox)

    assert {state for state, _ in told["tasks"].values()} == {"success"}
    assert (told["said"]["state"], told["said"]["version"]) == ("published", 0)


def run_dagster(place: Place) -> dict[str, Any]:
    place.copy("dagster_night.py")
    done = run(python_of("dagster"), "-c", DAGSTER, at=place.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return told_by(done.stdout)


def test_dagster_tries_a_refused_run_file_once(place: Place) -> None:
    place.refuse()

    told = run_dagster(place)

    assert told["retries"] == 3
    assert "STEP_FAILURE" in told["events"]
    assert "STEP_UP_FOR_RETRY" not in told["events"]


@pytest.mark.ray
def test_dagster_keeps_the_figures_of_a_night_with_its_asset(place: Place) -> None:
    place.let_run()

    told = run_dagster(place)

    (metadata,) = told["metadata"]
    assert (metadata["state"], metadata["version"], metadata["items"]) == ("published", 0, 8)
    assert Path(metadata["report"]).exists()


def test_cron_takes_the_crontab(place: Place) -> None:
    crontab = shutil.which("crontab")
    if crontab is None:
        pytest.skip("no `crontab` on this machine; Debian's package cron has it")

    checked = run(crontab, "-n", place.copy("reshelve.crontab"), at=place.folder)

    assert checked.returncode == 0, checked.stderr


def test_a_refused_run_file_is_mailed_by_cron_once(place: Place) -> None:
    place.refuse()

    done = run(place.copy("night.sh"), at=place.folder)

    assert done.returncode == 2
    assert done.stdout.startswith("error: night.yaml, line 1: ")
    assert told_by(done.stdout)["exit_code"] == 2


@pytest.mark.parametrize(
    ("code", "asked"),
    [(0, 1), *((code, 1) for code in sorted(FOR_A_PERSON)), (STOPPED, 4), (KILLED, 4)],
)
def test_under_cron_only_a_night_that_stopped_on_the_way_is_tried_again(
    place: Place, code: int, asked: int
) -> None:
    place.stand_in(code)
    night = place.copy("night.sh")
    night.write_text(night.read_text().replace("600", "0"))

    done = run(night, at=place.folder)

    assert done.returncode == code
    assert len((place.folder / "asked").read_text().splitlines()) == asked
    assert done.stdout == (f'{{"exit_code": {code}}}\n' if code else "")


def test_under_cron_a_night_that_is_still_at_work_is_left_alone(place: Place) -> None:
    place.stand_in(STOPPED)
    with (place.folder / "night.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        done = run(place.copy("night.sh"), at=place.folder)

    assert (done.returncode, done.stdout) == (0, "")
    assert not (place.folder / "asked").exists()


UNITS = ("reshelve-night.service", "reshelve-night.timer", "reshelve-failed.service")


def service() -> dict[str, str]:
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]  # as its documentation does it
    parsed.read(EXAMPLES / "reshelve-night.service")
    return dict(parsed["Service"])


def test_systemd_takes_the_units(place: Place) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no `systemd-analyze` on this machine; Debian's package systemd has it")

    checked = run(analyze, "verify", "--man=no", *map(place.copy, UNITS), at=place.folder)

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_systemd_tries_again_only_what_stopped_on_the_way(place: Place) -> None:
    place.refuse()
    said = service()
    command = said["ExecStart"].replace("/srv/reshelve", str(place.folder)).split()

    done = run(*command, at=place.folder)

    assert {int(code) for code in said["RestartPreventExitStatus"].split()} == FOR_A_PERSON
    assert done.returncode in FOR_A_PERSON
    assert json.loads(done.stdout.splitlines()[-1])["exit_code"] == done.returncode


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("[!_]*.*")), ids=lambda path: path.name)
def test_each_example_says_at_its_top_what_to_change(path: Path) -> None:
    top = path.read_text().splitlines()[:7]

    assert any(re.match(r"(# )?Change: ", line) for line in top)

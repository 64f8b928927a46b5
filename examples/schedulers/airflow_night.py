"""A night under Airflow 3.

Change: FOLDER, where Reshelve and night.yaml lie on the worker; WHO is told when a person is
needed, over Airflow's connection smtp_default; and the schedule.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowFailException

FOLDER = "/srv/reshelve"
WHO = "catalog@example.com"
# 1, or a kill, is tried again, and the run goes on from where it was; 2, 3 and 4 need a person
COMMAND = ".venv/bin/reshelve classify night.yaml --json || case $? in 2|3|4) ;; *) exit 1;; esac"


def read_end(line: str) -> dict[str, Any]:
    """Read the last line of the output; where it needs a person, fail without another try."""
    told: dict[str, Any] = json.loads(line)
    if told["exit_code"]:
        raise AirflowFailException(told["error"])
    return told


with DAG(
    dag_id="reshelve_night",
    schedule="30 1 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
) as dag:
    classify = BashOperator(
        task_id="classify",
        cwd=FOLDER,
        bash_command=COMMAND,
        output_processor=read_end,
        retries=3,
        retry_delay=timedelta(minutes=10),
        on_failure_callback=SmtpNotifier(
            to=WHO,
            subject="The catalog's labels of {{ ds }} were not published",
            html_content="{{ exception }}<br>The labels published before stay in place.",
        ),
    )

    @task.short_circuit
    def has_changed(told: dict[str, Any]) -> bool:
        """Go on only where there is a new version of the labels."""
        return bool(told["state"] == "published")

    @task
    def use(told: dict[str, Any]) -> None:
        """Do here what follows new labels, such as a new search index."""
        print(f"version {told['version']}: {told['labelled']:,} labels")  # noqa: T201  # into its log

    has_changed(classify.output) >> use(classify.output)

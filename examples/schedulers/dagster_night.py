"""A night under Dagster: the labels table as an asset.

Change: FOLDER, where Reshelve and night.yaml lie; and the schedule.
Load it with `dagster dev -f dagster_night.py`, or from your own code location.
"""

import json
import subprocess
from typing import Any

import dagster as dg

FOLDER = "/srv/reshelve"
COMMAND = [".venv/bin/reshelve", "classify", "night.yaml", "--json"]
FIGURES = ("version", "items", "labelled", "errors", "run", "report")
FOR_A_PERSON = (2, 3, 4)  # all else that fails is tried again, and goes on from where it was


@dg.asset(retry_policy=dg.RetryPolicy(max_retries=3, delay=600))
def labels(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """The label of every item in the catalog."""
    code, told = run_night(context)
    if code:
        failed = told.get("error", f"the night ended with code {code}, without a last line")
        raise dg.Failure(failed, allow_retries=code not in FOR_A_PERSON)
    return dg.MaterializeResult(metadata={key: told.get(key) for key in ("state", *FIGURES)})


def run_night(context: dg.AssetExecutionContext) -> tuple[int, dict[str, Any]]:
    """Run the command; return its exit code and what its last line says."""
    line = ""
    with subprocess.Popen(  # noqa: S603  # the command is a constant
        COMMAND, cwd=FOLDER, stdout=subprocess.PIPE, text=True
    ) as night:
        assert night.stdout
        try:
            for line in night.stdout:
                context.log.info(line.rstrip())
        except BaseException:  # Dagster stops the asset: so ends the night, and goes on next time
            night.terminate()
            raise
    return night.returncode, json.loads(line) if line.startswith("{") else {}


defs = dg.Definitions(
    assets=[labels],
    schedules=[
        dg.ScheduleDefinition(
            name="night",
            target=dg.AssetSelection.assets(labels),
            cron_schedule="30 1 * * *",
            execution_timezone="UTC",
        )
    ],
)

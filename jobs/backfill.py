"""Move a labels table to a new taxonomy, or to a new head: `python -m jobs.backfill RUN.yaml`."""

from jobs.command import run
from jobs.ending import EndAsJson, ending
from jobs.options import DryRun, Publish, RunFile, Settings
from lib.config.config import load_run_file


def main(
    run_file: RunFile,
    settings: Settings = None,
    *,
    dry_run: DryRun = False,
    publish: Publish = True,
    as_json: EndAsJson = False,
) -> None:
    """Move a labels table to a new taxonomy, or to a new head."""
    with ending("backfill", as_json=as_json) as (say, end):
        from pipelines.backfill import backfill
        from pipelines.backfill_inputs import BackfillRun

        config = load_run_file(BackfillRun, run_file, settings or ())
        if dry_run:
            from pipelines.backfill_dry_run import estimate

            estimate(config, say, end)
        else:
            backfill(config, say, end, publish=publish)


if __name__ == "__main__":
    run(main)

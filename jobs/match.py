"""Find pairs of the same product: `python -m jobs.match RUN.yaml`."""

from jobs.command import run
from jobs.ending import EndAsJson, ending
from jobs.options import DryRun, RunFile, Settings
from lib.config.config import load_run_file


def main(
    run_file: RunFile,
    settings: Settings = None,
    *,
    dry_run: DryRun = False,
    as_json: EndAsJson = False,
) -> None:
    """Find pairs of the same product."""
    with ending("match", as_json=as_json) as (say, end):
        from pipelines.match import match
        from pipelines.match_inputs import MatchRun

        config = load_run_file(MatchRun, run_file, settings or ())
        if dry_run:
            from pipelines.match_dry_run import estimate

            estimate(config, say, end)
        else:
            match(config, say, end)


if __name__ == "__main__":
    run(main)

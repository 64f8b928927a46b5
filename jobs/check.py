"""Check labelled photos before a training: `python -m jobs.check RUN.yaml`."""

from jobs.command import run
from jobs.ending import EndAsJson, ending
from jobs.options import RunFile, Settings
from lib.config.config import load_run_file


def main(run_file: RunFile, settings: Settings = None, *, as_json: EndAsJson = False) -> None:
    """Look for what is wrong with labelled photos."""
    with ending("check", as_json=as_json) as (say, end):
        from pipelines.train_config import TrainRun, refuse_missing

        config = load_run_file(TrainRun, run_file, settings or ())
        refuse_missing(config)
        from pipelines.check import check

        check(config, say, end)


if __name__ == "__main__":
    run(main)

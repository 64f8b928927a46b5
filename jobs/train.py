"""Train a bundle: `python -m jobs.train RUN.yaml`."""

import time
from contextlib import closing

from jobs.command import run
from jobs.ending import EndAsJson, ending
from jobs.options import RunFile, Settings
from lib.config.config import load_run_file
from pipelines.train_aside import start_aside


def main(run_file: RunFile, settings: Settings = None, *, as_json: EndAsJson = False) -> None:
    """Train a classifier on labelled photos and write its bundle."""
    started = time.monotonic()
    with ending("train", as_json=as_json) as (say, end), closing(start_aside()) as aside:
        from pipelines.train_config import TrainRun, refuse_missing

        config = load_run_file(TrainRun, run_file, settings or ())
        refuse_missing(config)
        from pipelines.train import train

        train(config, say, end, started, aside)


if __name__ == "__main__":
    run(main)

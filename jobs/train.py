"""Train a bundle: `python -m jobs.train RUN.yaml`."""

import time

from jobs.command import RunFile, Settings, reporting, run
from lib.config.config import load_run_file


def main(run_file: RunFile, settings: Settings = None) -> None:
    """Fine-tune a classifier on labelled photos and write its bundle."""
    started = time.monotonic()
    with reporting() as say:
        from pipelines.train_config import TrainRun, refuse_missing

        config = load_run_file(TrainRun, run_file, settings or ())
        refuse_missing(config)
        from pipelines.train import train

        train(config, say, started)


if __name__ == "__main__":
    run(main)

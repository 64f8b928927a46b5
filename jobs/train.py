"""Train a bundle: `python -m jobs.train RUN.yaml`."""

from jobs.command import RunFile, Settings, reporting, run
from lib.config.config import load_run_file


def main(run_file: RunFile, settings: Settings = None) -> None:
    """Fine-tune a classifier on labelled photos and write its bundle."""
    with reporting() as say:
        from pipelines.train import train
        from pipelines.train_inputs import TrainRun

        train(load_run_file(TrainRun, run_file, settings or ()), say)


if __name__ == "__main__":
    run(main)

"""Train a bundle: `python -m jobs.train RUN.yaml`."""

import typer

from jobs.command import RunFile, Settings, load, reporting


def main(run_file: RunFile, settings: Settings = None) -> None:
    """Fine-tune a classifier on labelled photos and write its bundle."""
    with reporting() as say:
        from pipelines.train import TrainRun, train

        train(load(TrainRun, run_file, settings), say)


if __name__ == "__main__":
    typer.run(main)

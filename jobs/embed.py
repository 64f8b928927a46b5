"""Embed what a store lacks: `python -m jobs.embed RUN.yaml`."""

from jobs.command import RunFile, Settings, reporting, run
from lib.config.config import load_run_file


def main(run_file: RunFile, settings: Settings = None) -> None:
    """Make the embeddings of a catalog's images that the store lacks."""
    with reporting() as say:
        from pipelines.embed import EmbedRun, embed

        embed(load_run_file(EmbedRun, run_file, settings or ()), say)


if __name__ == "__main__":
    run(main)

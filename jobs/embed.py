"""Embed what a store lacks: `python -m jobs.embed RUN.yaml`."""

from jobs.command import run
from jobs.ending import EndAsJson, ending
from jobs.options import RunFile, Settings
from lib.config.config import load_run_file


def main(run_file: RunFile, settings: Settings = None, *, as_json: EndAsJson = False) -> None:
    """Make the embeddings of a catalog's images that the store lacks."""
    with ending("embed", as_json=as_json) as (say, end):
        from pipelines.embed import EmbedRun, embed

        embed(load_run_file(EmbedRun, run_file, settings or ()), say, end)


if __name__ == "__main__":
    run(main)

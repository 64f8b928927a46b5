"""Find groups in a catalog without labels: `python -m jobs.discover RUN.yaml`."""

from jobs.command import run
from jobs.ending import EndAsJson, ending
from jobs.options import RunFile, Settings
from lib.config.config import load_run_file


def main(run_file: RunFile, settings: Settings = None, *, as_json: EndAsJson = False) -> None:
    """Find groups without labels, and draft a taxonomy."""
    with ending("discover", as_json=as_json) as (say, end):
        from pipelines.discover import discover
        from pipelines.discover_inputs import DiscoverRun

        discover(load_run_file(DiscoverRun, run_file, settings or ()), say, end)


if __name__ == "__main__":
    run(main)

"""A match's dry run: what it would compare, and how long that would take."""

import tempfile
import time
from pathlib import Path

from lib.runs.begin import begin_run
from lib.runs.ending import Ending
from lib.runs.plan import Plan
from lib.runs.progress import duration, plural, stage
from lib.storage.storage import Storage
from pipelines.match import Matching, prepared
from pipelines.match_inputs import MatchRun
from pipelines.match_sides import opened_sides
from pipelines.steps import Say

SAMPLE_ITEMS = 500


def estimate(config: MatchRun, say: Say, ending: Ending | None = None) -> None:
    """Say what a match would do, and how long it would take; write nothing.

    Raises:
        InputError: something given cannot be used.
    """
    job: Matching = prepared(config, say)
    with tempfile.TemporaryDirectory(prefix="reshelve-") as folder:
        planned = job.plan(Path(folder))
        say(planned.sentence)
        storage = Storage(config.storage)
        # a run of its own, in a folder that is gone afterwards
        run = begin_run(f"{folder}/runs", None, job.intent, storage)
        job.write_plan(run, planned, Path(folder))
        with opened_sides(config, run, job.stores, storage, say) as sides:
            unit = Plan(run).read(0).slice(0, SAMPLE_ITEMS)
            with stage(say, f"trying it on {plural(unit.num_rows, 'item')}"):
                started = time.monotonic()
                sides.matcher.match(0, sides.left(unit, 0), 0)
                seconds = (time.monotonic() - started) / unit.num_rows * planned.items
    say(f"about {duration(seconds)} by a sample, and what making the indexes took")
    say("nothing was written")
    if ending:
        ending.tell("planned", planned.sentence, items=planned.items, seconds=seconds)

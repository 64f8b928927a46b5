"""The answers of people that a run respects: as they stood when it was planned, in its folder."""

from lib.labels.people import Answers
from lib.runs import files
from lib.runs.run import Run
from lib.schemas import ANNOTATIONS_SCHEMA
from lib.taxonomy.taxonomy import Taxonomy


def read_answers(run: Run, count: int, taxonomy: Taxonomy) -> Answers:
    """Read what a run was planned with, so that one that is resumed ends with the same rows.

    Args:
        run: its folder.
        count: of the answers, by its plan; with none there is no file, as in earlier versions.
        taxonomy: of the answers.
    """
    rows = run.read_table(files.ANSWERS) if count else ANNOTATIONS_SCHEMA.empty_table()
    return Answers(rows, taxonomy)

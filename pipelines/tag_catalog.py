"""A tagging, from the file of examples to the table of tags and the page."""

from dataclasses import dataclass

from lib.labels.promises import Accept
from lib.labels.tags_table import TagsTable
from lib.runs.progress import plural
from lib.storage.storage import Storage
from pipelines.search import open_search
from pipelines.steps import Say
from pipelines.tag import Tagged, publish, read_examples, run_of, tag
from pipelines.tag_report import tag_report


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where a tagging reads and writes.

    Attributes:
        examples: a CSV.
        tags_table: takes the tags.
        labels_table: whose items are tagged.
        embeddings: the folder that keeps them.
        bundle: whose backbone made them, or `current`.
        html: takes the page; None for none.
    """

    examples: str
    tags_table: str
    labels_table: str
    embeddings: str
    bundle: str
    html: str | None = None


@dataclass(frozen=True, kw_only=True)
class Tagging:
    """What has been done.

    Attributes:
        tagged: by tag.
        version: of the table.
        sentence: the same for a person.
    """

    tagged: list[Tagged]
    version: int
    sentence: str


def tag_catalog(places: Places, precision: float, storage: Storage, say: Say) -> Tagging:
    """Learn tags from their examples, and put what has them into the table of tags.

    Args:
        places: where.
        precision: of what is accepted, as surely as `Accept` says.
        storage: how to reach all places.
        say: takes each line for the person who waits.

    Raises:
        InputError: as `read_examples`, `open_search` and `tag`.
        StoreError: a store does not answer.
    """
    given = read_examples(places.examples, storage)
    searched = open_search(places.labels_table, places.embeddings, places.bundle, storage=storage)
    table, accept = (
        TagsTable(places.tags_table, storage),
        Accept(precision=precision, mode="strict"),
    )
    run_id = run_of(given, searched, accept)
    what = "had these tags before" if table.has(run_id) else "has them now"
    tagged = tag(given, places.examples, searched.catalog, accept, say)
    version = publish(tagged, searched.catalog.items, table, run_id)
    if places.html is not None:
        page = tag_report(tagged, run_id, searched.catalog.items, storage)
        storage.write(places.html, page.encode())
        say(f"page: {places.html}")
    sentence = f"{plural(len(tagged), 'tag')}: {places.tags_table} {what}, version {version}"
    say(sentence)
    return Tagging(tagged=tagged, version=version, sentence=sentence)

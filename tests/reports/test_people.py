"""What reports say of the items that people have decided."""

import math
import re
from dataclasses import replace

from lib.reports.changes import changes_sentence
from lib.reports.data import NightFigures
from lib.reports.migration_data import MigrationReport
from lib.reports.render import render_classification, render_migration
from lib.reports.trends import trends
from lib.reports.verdicts import classification_verdict, migration_verdict
from tests.helpers.report_examples import MIGRATION, RUN, category
from tests.helpers.report_reading import Page

NIGHT = replace(
    RUN,
    decisions={"accept": 1_088, "parent": 28, "review": 100, "person": 12},
    categories=[replace(category(0), person=11), replace(category(1), person=1)],
)


def moved() -> MigrationReport:
    """The example of a backfill, in which people have decided on 10 items and rejected 2."""
    first, *others = MIGRATION.flows
    flows = [replace(first, accepted=first.accepted - 12, person=10), *others]
    return replace(MIGRATION, flows=flows, decisions={"accept": 948, "review": 50, "person": 12})


def test_a_night_says_how_many_people_have_decided() -> None:
    text = Page(render_classification(NIGHT)).text

    assert "of 1,240 items labelled, 12 of them decided by people" in text
    assert "12 decided by people 1.0 %" in text
    assert "1,000 accepted, 2 parent, 3 to decide, 11 by people" in text
    assert "whatever the model says" in text


def test_people_are_not_spoken_of_where_nobody_has_decided() -> None:
    for page in (render_classification(RUN), render_migration(MIGRATION)):
        assert "by people" not in Page(page).text


def test_what_people_have_decided_waits_for_nobody() -> None:
    verdict = classification_verdict(replace(NIGHT, decisions={"accept": 28, "person": 1_200}))
    assert verdict.tone == "good"


def test_a_backfill_says_how_many_are_as_people_have_decided() -> None:
    report = moved()

    assert report.rejected == 2
    assert "; 12 are as people have decided" in migration_verdict(report).detail
    text = Page(render_migration(report)).text
    assert "2 in no category, by people" in text


def test_the_picture_of_a_backfill_shows_what_people_have_decided() -> None:
    assert "Shirts to Shirts, by people: 10 items" in render_migration(moved())


def test_a_category_that_people_alone_have_filled_has_no_confidence() -> None:
    alone = replace(category(0), accepted=0, parent=0, review=0, person=7, mean_confidence=math.nan)
    page = render_classification(replace(NIGHT, decisions={"person": 7}, categories=[alone]))
    assert not re.search(r"\bnan\b", Page(page).text)


def test_what_changed_says_what_people_have_answered() -> None:
    said = changes_sentence({"new": 1, "answered": 3, "unchanged": 2})
    assert "1 new and 3 decided or taken back by people; 2 items are as before." in said


def test_the_nights_have_a_line_of_what_people_have_decided_where_there_is_some() -> None:
    night = NightFigures(items=9, review=1, errors=0, category_changes=None, drift=None)
    assert "decided by people" not in [each.label for each in trends([night, night])]

    (line,) = [
        each
        for each in trends([night, replace(night, people=4)])
        if each.label == "decided by people"
    ]
    assert (line.now, line.usual) == ("4", "0")

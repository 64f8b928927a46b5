import math
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from lib.evaluation.results import Evaluation
from lib.reasons import ErrorItem
from lib.reports.data import ContactSheet, ErrorReason
from lib.reports.render import render_classification, render_migration, render_training
from lib.reports.verdicts import classification_verdict
from tests.helpers import report_examples as examples
from tests.helpers.report_examples import (
    EMPTY_RUN,
    MIGRATION,
    RUN,
    THUMBNAIL,
    TRAINING,
    category,
    epoch,
)
from tests.helpers.report_reading import Page

NOTHING_KNOWN = Evaluation(items=0, accuracy=math.nan, categories=[], confusion=[])

PAGES = {
    "a run": render_classification(RUN),
    "an empty run": render_classification(EMPTY_RUN),
    "a run without labels": render_classification(
        replace(
            RUN, labelled=0, errors=1_240, decisions={}, categories=[], confidence_counts=[0] * 5
        )
    ),
    "one category": render_classification(
        replace(RUN, categories=[category(0)], evaluation=examples.evaluation(1))
    ),
    "1,000 categories": render_classification(
        replace(
            RUN,
            categories=[category(number) for number in range(1_000)],
            evaluation=examples.evaluation(1_000),
        )
    ),
    "a training": render_training(TRAINING),
    "a training on one category": render_training(
        replace(TRAINING, evaluation=examples.evaluation(1))
    ),
    "a training of nothing": render_training(
        replace(
            TRAINING,
            epochs=[],
            evaluation=NOTHING_KNOWN,
            reliability=[],
            coverage=math.nan,
            calibration_error_before=math.nan,
            calibration_error_after=math.nan,
        )
    ),
    "a training that diverged": render_training(
        replace(
            TRAINING,
            epochs=[replace(epoch(1), train_loss=math.nan, validation_loss=math.inf)],
            temperature=math.inf,
        )
    ),
}

every_page = pytest.mark.parametrize("html", PAGES.values(), ids=PAGES.keys())


@every_page
def test_a_page_refers_to_nothing_outside_itself(html: str) -> None:
    page = Page(html)
    links = [link for link in page.tags("a") if link.get("rel")]  # that a person may follow
    assert all(link["rel"] == "noopener noreferrer" for link in links)
    addresses = [*page.values("src"), *page.values("href"), *page.values("xlink:href")]
    addresses = [each for each in addresses if each not in {link["href"] for link in links}]
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert not page.tags("script")
    assert not page.tags("link")
    assert "@import" not in html
    assert all(found == "#" for found in re.findall(r"url\(['\"]?(.)", html))


@every_page
def test_a_page_is_well_formed_and_its_ids_are_unique(html: str) -> None:
    page = Page(html)
    assert page.unbalanced == []
    ids = Counter(page.values("id"))
    assert [name for name, times in ids.items() if times > 1] == []
    assert {link for link in page.values("href") if link.startswith("#")} <= {
        f"#{name}" for name in ids
    }


@every_page
def test_a_page_never_prints_what_is_not_a_number(html: str) -> None:
    assert not re.search(r"(?<![a-z])-?(nan|inf)(?![a-z])", Page(html).text, re.IGNORECASE)
    assert not re.search(r"[\s:\"](nan|inf)\b", " ".join(Page(html).values("style")))
    assert "None" not in Page(html).text


@every_page
def test_every_picture_has_its_words(html: str) -> None:
    page = Page(html)
    assert all(image["alt"] for image in page.tags("img"))
    charts = [svg for svg in page.tags("svg") if svg.get("class") == "chart"]
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in charts)


@every_page
def test_a_page_has_one_first_heading_and_a_table_of_its_contents(html: str) -> None:
    page = Page(html)
    assert len(page.tags("h1")) == 1
    assert len(page.tags("section")) == len(set(_contents(page)))


def _contents(page: Page) -> list[str]:
    sections = {f"#{values['id']}" for values in page.tags("section")}
    return [link for link in page.values("href") if link in sections]


def test_a_published_run_says_so_first() -> None:
    page = Page(render_classification(RUN))
    assert "1,228 of 1,240 items labelled; published as version 1 of labels." in page.text
    assert any("good" in values.get("class", "") for values in page.tags("div"))


def test_the_first_line_says_what_needs_a_person_and_where() -> None:
    waiting = [replace(category(n), review=n) for n in (50, 30, 15, 5)]
    page = Page(render_classification(replace(RUN, categories=waiting)))

    assert page.text.index("100 items need you") < page.text.index("Published")
    assert "100 items need you, most of them in Kind 50 (50), Kind 30 (30) and Kind 15 (15)." in (
        page.text
    )
    assert "see the 100 items to decide see what could not be read (12)" in page.text


def test_a_night_of_which_most_items_need_a_person_is_not_green() -> None:
    decisions = {"accept": 147, "review": 1_081}
    verdict = classification_verdict(replace(RUN, decisions=decisions))

    assert verdict.tone == "warn"
    assert verdict.word == "Published, but 88.1\u00a0% of the items need a person"


def test_one_bad_photo_of_a_small_night_leaves_it_green() -> None:
    small = replace(RUN, items=2, labelled=1, errors=1, decisions={"accept": 1})
    assert classification_verdict(small).tone == "good"


def test_what_has_not_happened_is_not_said() -> None:
    text = Page(render_classification(RUN)).text
    assert "40 new and 3 with another image; 1,197 items are as before." in text
    assert "gone from the catalog" not in text


def test_the_nights_before_stand_beside_this_one() -> None:
    text = Page(render_classification(RUN)).text
    assert "The last 3 nights" in text
    assert "Items classified 1,240 600" in text
    assert "Drift 34.2 % \u2013" in text


def test_a_photo_shows_both_probabilities_its_whole_id_and_where_it_lies() -> None:
    item_id = "photos/2026/" + "long-" * 60 + ".jpg"
    page = Page(render_classification(replace(RUN, moves=[replace(THUMBNAIL, item_id=item_id)])))
    assert f"Dress confidence 91.0 % or Skirt 6.0 % Blue dress item {item_id}" in page.text
    assert "https://shop.example/1.jpg" in page.values("href")


def test_items_to_decide_are_framed_on_a_contact_sheet() -> None:
    both = [THUMBNAIL, replace(THUMBNAIL, for_review=True)]
    sheets = [ContactSheet(category="Dress", items=2, thumbnails=both)]
    page = Page(render_classification(replace(RUN, sheets=sheets)))
    assert [each.get("class") for each in page.tags("li")].count("doubtful") == 1


def test_a_failed_gate_comes_first_and_is_marked() -> None:
    page = Page(render_classification(RUN))
    assert page.text.index("Loss of rows of the table") < page.text.index("Items that are errors")
    assert [row.get("class") for row in page.tags("tr")].count("worse") == 1


def test_a_gate_that_counts_more_items_than_there_were_says_so() -> None:
    def text(items: int, counted: int) -> str:
        gates = [replace(RUN.gates[0], value=12 / counted)]
        run = replace(RUN, gates=gates, items=items, labelled=items - 12)
        return Page(render_classification(run)).text

    assert "counted of" not in text(items=1_240, counted=1_240)
    assert "counted of 100 items" in text(items=13, counted=100)
    assert "counted of 40 items" in text(items=13, counted=40)  # a table of forty


def test_pairs_are_shown_only_where_they_are_more_than_noise() -> None:
    noise = [[8, 1, 1], [1, 8, 1], [1, 1, 8]]
    report = replace(TRAINING, evaluation=replace(examples.evaluation(3), confusion=noise))
    text = Page(render_training(report)).text
    assert "Most confused pairs" not in text
    assert "No category is taken for one other more often than chance would have it." in text


def test_an_unpublished_run_says_why_in_a_warning() -> None:
    page = Page(
        render_classification(
            replace(RUN, published_version=None, unpublished_because="too many errors.")
        )
    )
    assert page.text.index("not published, and needs you") < page.text.index("1,228 of 1,240")
    assert "see its gates" in page.text
    assert "Not published" in page.text
    assert "Too many errors. The labels published before stay in place." in page.text
    assert any("warn" in values.get("class", "") for values in page.tags("div"))


def test_figures_are_written_for_people() -> None:
    text = Page(render_classification(RUN)).text
    for figure in ("1,240", "43.2 MB", "2 min 05 s", "62.4", "23 Nov 2026, 02:15:00 UTC"):
        assert figure in text


def test_drift_is_a_sentence_and_a_table_of_what_the_run_was_compared_with() -> None:
    text = Page(render_classification(RUN)).text
    assert "Drift 34.2%: the photos differ from the training's." in text
    assert "the last 3 nights' 2,000 \u2013 0 % 7.0 %" in text
    assert "1 of 1,228 sampled photos looks like nothing that the model was trained on." in text


def test_a_run_of_an_older_version_has_no_word_of_drift() -> None:
    page = Page(render_classification(replace(RUN, drift=None, unfamiliar=[], nights=[])))
    assert "drift" not in page.text.lower()


def test_every_error_reason_is_shown_with_its_meaning() -> None:
    reasons = [
        ErrorReason(code=f"reason_{number}", meaning=f"Meaning {number}.", items=number)
        for number in range(1, 12)
    ]
    text = Page(render_classification(replace(RUN, error_reasons=reasons))).text
    assert all(f"{each.code} {each.meaning} {each.items}" in text for each in reasons)


def test_beside_an_error_stands_what_the_item_was_labelled_before() -> None:
    errors = [replace(RUN.error_items[0], was="Clothing > Coats")]
    text = Page(render_classification(replace(RUN, error_items=errors))).text
    assert "item-9 was Clothing > Coats not_found" in text


def test_a_run_without_errors_says_that_there_were_none() -> None:
    report = replace(RUN, errors=0, error_reasons=[], error_items=[])
    assert "No item had an error." in Page(render_classification(report)).text


def test_errors_beyond_the_shown_are_counted() -> None:
    rows = [
        ErrorItem(item_id=f"bad-{number}", uri="s3://shop/x", code="not_found", detail="gone")
        for number in range(300)
    ]
    text = Page(render_classification(replace(RUN, errors=5_000, error_items=rows))).text
    assert "Showing 200 of 5,000." in text
    assert "bad-199" in text
    assert "bad-200" not in text


def test_names_from_the_catalog_are_text_and_never_markup() -> None:
    nasty = '<script>alert("x")</script><img src=http://evil/>'
    pictures = [replace(THUMBNAIL, name=nasty, item_id=nasty, category=nasty)]
    page = Page(
        render_classification(
            replace(
                RUN,
                run_id=nasty,
                catalog=nasty,
                stages={nasty: 1.0},
                categories=[replace(category(0), path=nasty)],
                least_sure=pictures,
                error_reasons=[ErrorReason(code=nasty, meaning=nasty, items=1)],
            )
        )
    )
    assert page.tags("script") == []
    assert all(image["src"].startswith("data:") for image in page.tags("img"))
    assert nasty in page.text


def test_an_item_without_picture_or_name_is_shown_by_its_id() -> None:
    page = Page(
        render_classification(
            replace(
                RUN,
                sheets=[],
                moves=[],
                least_sure=[replace(THUMBNAIL, jpeg=None, name=None, item_id="item-77")],
                unfamiliar=[],
            )
        )
    )
    assert page.tags("img") == []
    assert "no picture" in page.text
    assert "item-77" in page.text


def test_of_a_thousand_categories_the_largest_forty_are_shown() -> None:
    text = Page(PAGES["1,000 categories"]).text
    assert "Showing the largest 40 of 1,000." in text
    assert "Kind 39 " in text
    assert "Kind 500 " not in text


def test_a_confusion_matrix_is_drawn_up_to_sixty_categories() -> None:
    small = Page(render_training(replace(TRAINING, evaluation=examples.evaluation(60))))
    large = Page(render_training(replace(TRAINING, evaluation=examples.evaluation(61))))
    assert any(values.get("class", "").startswith("matrix") for values in small.tags("table"))
    assert not any(values.get("class", "").startswith("matrix") for values in large.tags("table"))
    for page in (small, large):
        assert "Clothing > Kind 0 Clothing > Kind 1 2 20.0 %" in page.text


def test_training_lists_unusable_images() -> None:
    row = ErrorItem(item_id="bad-1", uri="s3://shop/bad", code="too_large", detail="90,000 wide")
    text = Page(render_training(replace(TRAINING, unusable=[row]))).text
    assert all(part in text for part in ("bad-1", "s3://shop/bad", "too_large", "90,000 wide"))


def test_two_renderings_of_one_report_are_the_same() -> None:
    assert render_training(TRAINING) == PAGES["a training"]


def test_a_page_module_does_not_load_the_drawing_library() -> None:
    program = "import sys, lib.reports.render; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603 - our own program


def test_a_name_cannot_turn_text_around_also_where_a_chart_draws_it() -> None:
    flows = [replace(each, becomes=f"{each.becomes}\u202e") for each in MIGRATION.flows]

    page = render_migration(replace(MIGRATION, flows=flows))

    assert "\u202e" not in page
    assert r"\u202e" in page[page.index("<svg") :]

from dataclasses import replace

from lib.reports.match_data import Half, MatchReport, ShownPair
from lib.reports.render import render_match

LEFT = Half(item_id="feed/1", name="Soap <b>250 ml</b>", jpeg=b"one", link="file:///feed/1.jpg")
RIGHT = Half(item_id="own/1", name=None, jpeg=None, link=None)
PAIR = ShownPair(
    left=LEFT, right=RIGHT, final=0.83, image=None, name=0.91, differs=["amounts", "colours"]
)
REPORT = MatchReport(
    run_id="match-1",
    started_at="2026-11-27T20:00:00+00:00",
    finished_at="2026-11-27T20:10:00+00:00",
    left="feed.csv",
    right="catalog.csv",
    items=1_200,
    errors=3,
    pairs={"same": 800, "review": 70, "different": 400},
    matched={"same": 790, "review": 60, "different": 347},
    clusters=(780, 1_570),
    compared="images and names",
    limits="same from a score of 0.87, right for 484 of 514 labelled pairs",
    promised=True,
    refused="",
    surest=[PAIR],
    doubtful=[PAIR],
    contradicting=[PAIR],
)


def test_a_page_says_first_how_many_have_a_match_and_how_many_wait() -> None:
    page = render_match(REPORT)

    assert "790 of 1,200 items have a match, and 60 wait for a person." in page
    assert "Same from a score of 0.87" in page


def test_pairs_stand_side_by_side_with_what_they_contradict_each_other_in() -> None:
    page = render_match(REPORT)

    assert "Soap &lt;b&gt;250 ml&lt;/b&gt;" in page
    assert "amounts, colours" in page
    assert page.count("0.83") == 3


def test_a_page_says_where_nothing_is_promised_and_which_gate_refuses() -> None:
    assert "Nothing is promised" in render_match(replace(REPORT, promised=False))
    refused = "gates.max_error_rate: 9.0% of the items have nothing to compare"
    assert refused in render_match(replace(REPORT, refused=refused))


def test_a_match_without_a_pair_is_a_page_too() -> None:
    empty = replace(REPORT, pairs={}, matched={}, surest=[], doubtful=[], contradicting=[])

    assert "0 of 1,200 items have a match." in render_match(empty)

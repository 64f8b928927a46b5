from lib.backfill.carried_thresholds import carry_thresholds
from lib.labels.decisions import NEVER
from lib.taxonomy.migration import migrate
from lib.taxonomy.taxonomy import parse_taxonomy

OLD = parse_taxonomy(
    """
version: "1"
categories:
- {id: tops, children: [{id: shirt}, {id: vest}]}
- {id: legs, children: [{id: jeans}, {id: shorts}]}
- {id: hat}
""",
    "old.yaml",
)
TESTED = {"tops": 0.5, "legs": 0.6, "shirt": 0.7, "vest": 0.8, "jeans": 0.9, "shorts": 0.4}
TESTED |= {"hat": NEVER}


def carried(replaces: str, categories: str) -> dict[str, float]:
    new = parse_taxonomy(
        f'version: "2"\nreplaces: {{version: "1"{replaces}}}\ncategories: [{categories}]', "new"
    )
    return carry_thresholds(TESTED, migrate([OLD, new]))


TOPS = "{id: tops, children: [{id: shirt}, {id: vest}]}"
LEGS = "{id: legs, children: [{id: jeans}, {id: shorts}]}"


def test_a_taxonomy_that_changes_nothing_keeps_every_threshold() -> None:
    assert carried("", f"{TOPS}, {LEGS}, {{id: hat}}") == TESTED


def test_a_renamed_category_keeps_its_threshold_and_so_does_the_one_above_it() -> None:
    renamed = "{id: upper, children: [{id: blouse}, {id: vest}]}"
    found = carried(", renamed: {shirt: blouse, tops: upper}", f"{renamed}, {LEGS}, {{id: hat}}")
    assert (found["blouse"], found["vest"], found["upper"]) == (0.7, 0.8, 0.5)


def test_a_merged_category_takes_the_largest_threshold_of_its_parts() -> None:
    found = carried(", merged: {top: [shirt, vest]}", f"{{id: top}}, {LEGS}, {{id: hat}}")
    assert found == {"top": 0.8, "legs": 0.6, "jeans": 0.9, "shorts": 0.4, "hat": NEVER}


def test_the_parts_of_a_split_category_and_what_is_above_keep_its_threshold() -> None:
    split = "{id: tops, children: [{id: polo}, {id: tee}, {id: vest}]}"
    found = carried(", split: {shirt: [polo, tee]}", f"{split}, {LEGS}, {{id: hat}}")
    assert (found["polo"], found["tee"], found["vest"], found["tops"]) == (0.7, 0.7, 0.8, 0.5)


def test_a_category_above_other_leaves_than_before_accepts_nothing() -> None:
    moved = "{id: legs, children: [{id: jeans}, {id: shorts}, {id: vest}]}"
    found = carried(
        ", moved: [vest]", f"{{id: tops, children: [{{id: shirt}}]}}, {moved}, {{id: hat}}"
    )
    assert (found["tops"], found["legs"]) == (NEVER, NEVER)
    assert found["vest"] == 0.8


def test_thresholds_that_were_not_tested_are_not_carried() -> None:
    assert carry_thresholds({}, migrate([OLD])) == {}

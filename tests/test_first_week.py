"""What runs docs/first-week.md: the page shows what was printed, and what may differ."""

import pytest

from tests.helpers.first_week import BLOCK, PAGE, read_steps, rewritten, same_each_time


def page(*blocks: str) -> str:
    return "".join(f"Words.\n\n```{block}```\n\n" for block in blocks)


@pytest.mark.processes
def test_a_page_gets_what_its_commands_print_now() -> None:
    old = page("console\n$ echo one\ntwo\n$ true\n", "console\n$ echo three\n")

    assert rewritten(old) == page(
        "console\n$ echo one\none\n$ true\n", "console\n$ echo three\nthree\n"
    )


@pytest.mark.processes
def test_commands_share_their_folder_their_shell_and_their_exit_codes() -> None:
    now = rewritten(page("console\n$ cd /tmp/week\n$ (exit 3)\n$ echo $?\n$ pwd\n"))

    assert "$ echo $?\n3\n$ pwd\n/tmp/week\n" in now


@pytest.mark.processes
def test_a_block_that_names_its_file_is_saved_as_it_stands() -> None:
    file = "yaml\n# night.yaml\noutput: '$HOME'\n"

    now = rewritten(page("console\n$ cd /tmp/week\n", file, "console\n$ cat night.yaml\n"))

    assert now.endswith("$ cat night.yaml\n# night.yaml\noutput: '$HOME'\n```\n\n")
    assert f"```{file}```" in now


@pytest.mark.processes
def test_a_command_may_stand_on_several_lines() -> None:
    now = rewritten(page("console\n$ echo one \\\n    two\n"))

    assert now == page("console\n$ echo one \\\n    two\none two\n")


@pytest.mark.processes
def test_of_progress_the_last_line_stands() -> None:
    lines = [f"{done} of 359 items, {done} items/s, 2 errors, 3 s left" for done in (64, 359)]

    now = rewritten(page(f"console\n$ printf '%s\\n' '{lines[0]}' '{lines[1]}' end\n"))

    assert now.endswith(f"end\n{lines[1]}\nend\n```\n\n")


def test_a_command_stands_before_what_it_printed() -> None:
    with pytest.raises(ValueError, match="no command has printed: one"):
        read_steps("console", "one\n$ echo one\n")


def test_every_block_of_the_page_is_typed_or_saved() -> None:
    blocks = list(BLOCK.finditer(PAGE.read_text()))

    assert blocks
    assert [block[0] for block in blocks if not read_steps(block[1], block[2])] == []


def test_times_and_rates_may_differ_from_run_to_run() -> None:
    one = "version 3, 2026-11-27T06:12:33+00:00\nabout 41 s at 9 images/s with 1 actor\n"
    other = (
        "version 3, 2027-01-02T16:12:00+00:00\nabout 3 min 05 s at 1,200 images/s with 12 actors\n"
    )

    assert same_each_time(one) == same_each_time(other)


def test_what_other_hardware_may_decide_otherwise_may_differ() -> None:
    one = "head: closed form, power 0.33, the best of 18\n399 of 407 items labelled, 8 errors\n"
    other = (
        "head: logistic regression, power 1, the best of 18\n"
        "399 of 407 items labelled, 2 of them for review, 8 errors\n"
    )

    assert same_each_time(one) == same_each_time(other)


@pytest.mark.parametrize(
    "line",
    ["299 items in 7 units", "published as version 3 of labels", "291 of 299 items labelled"],
)
def test_no_other_number_may_differ(line: str) -> None:
    assert same_each_time(line) == line

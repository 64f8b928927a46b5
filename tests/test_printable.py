import pytest

from lib.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("first\rsecond", r"first\rsecond"),
        ("\x9b2J", r"\x9b2J"),
        ("gpj.\u202ephoto", r"gpj.\u202ephoto"),
        ("a\u2028b", r"a\u2028b"),
        ("\udcff.jpg", r"\udcff.jpg"),
    ],
)
def test_what_would_act_on_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("text", ["Hüte\tund\nMützen", "ספר", "👩‍👧", "a\\x1b"])
def test_what_a_person_wrote_stays_as_it_is(text: str) -> None:
    assert printable(text) == text

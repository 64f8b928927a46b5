import pytest

from lib.matching.titles import LONGEST, read_title


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("Shampoo 250 ml", {"volume:250"}),
        ("Shampoo 250ml", {"volume:250"}),
        ("Shampoo 0.25 l", {"volume:250"}),
        ("Shampoo 0,25 L", {"volume:250"}),
        ("Shampoo 25cl", {"volume:250"}),
        ("Flour 1,000 g", {"mass:1000"}),
        ("Flour 1 kg", {"mass:1000"}),
        ("Cola 6x330 ml", {"count:6", "volume:330"}),
        ("Disk 1.5TB", {"data:1.5e+06"}),
        ("Tea", set()),
        ("Windows 7", set()),
    ],
)
def test_amounts_are_equal_whatever_unit_they_are_written_in(text: str, amounts: set[str]) -> None:
    assert read_title(text).amounts == amounts


def test_a_model_is_the_same_with_and_without_its_hyphens() -> None:
    assert "f8n044slv" in read_title("Belkin CushTop F8N044-SLV").models
    assert read_title("Belkin cush top f8n044slv").models == {"f8n044slv"}


def test_colours_of_several_languages_are_one() -> None:
    said = [read_title(text).colours for text in ("Shoe black", "Schuh SCHWARZ", "zapato negro")]

    assert said == [{"black"}] * 3


def test_sizes_of_clothes_are_no_words_of_other_titles() -> None:
    assert read_title("T-Shirt, size M").sizes == {"m"}
    assert read_title("T-Shirt (XL)").sizes == {"xl"}
    assert not read_title("Coca-Cola 0.25 l").sizes
    assert not read_title("women's shoe").sizes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Café  CRÈME", "cafe creme"),
        ("Ｔ－Ｓｈｉｒｔ", "t-shirt"),  # noqa: RUF001  # letters of another width
        ("ﬁne 2.0", "fine 2"),
        ("\u202eשלום\u202c", "שלום"),  # noqa: RUF001  # from the right
        ("Стол", "СТОЛ"),
    ],
)
def test_titles_that_a_person_reads_alike_are_one_text(one: str, other: str) -> None:
    assert read_title(one).text == read_title(other).text


@pytest.mark.parametrize("text", ["", "   ", "👟👟", "!?!", "\u200f\u202e", "\ud83d"])
def test_a_title_without_a_word_says_nothing(text: str) -> None:
    assert read_title(text).text == ""


def test_no_more_of_a_title_is_read_than_a_title_has() -> None:
    assert len(read_title("word " * 2_000).text) <= LONGEST
    assert len(read_title("ש" * 10_000).text) <= LONGEST

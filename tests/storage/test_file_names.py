import os

import pytest

from lib.reasons import ItemError, Reason
from lib.storage.file_names import check_name, shown, uri_of


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"caf\xc3\xa9.jpg", "caf\xe9.jpg"),
        (b"a\\b.jpg", r"a\b.jpg"),
        (b"caf\xe9.jpg", r"caf\xe9.jpg"),
        (b"a\\b\xe9.jpg", r"a\\b\xe9.jpg"),
        # names that look like shown ones
        (rb"caf\xe9.jpg", r"caf\\xe9.jpg"),
        (rb"a\\b.jpg", r"a\\\\b.jpg"),
    ],
)
def test_a_name_that_is_no_text_is_shown_as_no_other_name_is(name: bytes, text: str) -> None:
    assert shown(os.fsdecode(name)) == text


@pytest.mark.parametrize("name", [b"/a b/\xff.jpg", b"/caf\xe9.jpg"])
def test_a_file_whose_name_is_no_text_is_refused_by_its_uri(name: bytes) -> None:
    with pytest.raises(ItemError, match="the file's name is not text in UTF-8; rename it") as error:
        check_name(uri_of(os.fsdecode(name)))
    assert error.value.reason is Reason.FETCH_FAILED


@pytest.mark.parametrize(
    "uri", ["/100%FF.jpg", "/caf\xe9.jpg", "file:///a%20b.jpg", "s3://b/%ff.jpg"]
)
def test_other_uris_pass(uri: str) -> None:
    assert uri_of(uri) == uri
    check_name(uri)

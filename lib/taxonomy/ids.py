"""Category ids and names in one spelling: two that look alike are the same."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator


def nfc(text: str) -> str:
    """Return a text in Unicode's composed form, NFC; a Mac's folders have names in the other."""
    return unicodedata.normalize("NFC", text)


CategoryId = Annotated[str, AfterValidator(nfc)]

"""Text that others wrote, made harmless where a person reads it: terminal, log or report."""

import re
from typing import Final

# control characters but tab and line break, which move the cursor or ring; halves of surrogate
# pairs, which cannot be encoded; line separators; and marks that turn the direction of what follows
_HARMFUL: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)


def printable(text: str) -> str:
    r"""Return a text with what would act on a terminal or a page escaped, as `\x1b`.

    Marks of direction are escaped as Unicode's report on its security advises
    (https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing); right-to-left letters stay.
    """
    return _HARMFUL.sub(lambda found: ascii(found[0])[1:-1], text)

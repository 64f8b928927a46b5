"""What was refused, said beside what asked for it."""

from fastapi import Request
from fastapi.responses import HTMLResponse

from lib.desk.render import page
from lib.errors import ReshelveError

REFUSED = "x-refused"  # dialogs.js puts an answer that has it where it was asked for


def refused(request: Request, error: ReshelveError) -> HTMLResponse:
    """Return the sentence of an error as a part of the page that is open."""
    sentence = str(error).rstrip(".")
    answer = page(request, "refused.html.j2", {"sentence": sentence}, 400)
    answer.headers[REFUSED] = "yes"
    return answer

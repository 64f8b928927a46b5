"""A web server that redirects, and that remembers what it was asked."""

import contextlib
import http.server
import threading
from collections.abc import Iterator


class _Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Site)
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        path, _, elsewhere = self.path.partition("?")
        if path == "/circle.jpg":
            elsewhere = path
        self.send_response(302 if elsewhere else 200)
        if elsewhere:
            self.send_header("Location", elsewhere)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(b"" if elsewhere else self.server.photo)
            while path == "/endless.jpg":
                self.wfile.write(bytes(100_000))

    def log_message(self, *_: object) -> None:
        pass


class Site(http.server.ThreadingHTTPServer):
    """Redirects where the query says, and /circle.jpg to itself; else gives a photo.

    Zeros without end follow that of /endless.jpg. `asked` has each path and its credentials.
    """

    daemon_threads = True

    def __init__(self, photo: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.photo = photo
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextlib.contextmanager
def serve(photo: bytes) -> Iterator[Site]:
    """Serve until the end of the block."""
    with Site(photo) as site:
        thread = threading.Thread(target=site.serve_forever, args=(0.05,))
        thread.start()
        yield site
        site.shutdown()
        thread.join()

"""What keeps a desk to those it is for: hosts, tokens, forged requests, sizes, content policy.

After OWASP's cheat sheets on cross-site request forgery and content security policy
(https://cheatsheetseries.owasp.org).
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from http.cookies import SimpleCookie
from typing import Final
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SESSION, TOKEN = "reshelve-session", "reshelve-token"  # cookies
CSRF_HEADER = "x-csrf-token"
NAMES_OF_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
FORM_BYTES = 1_000_000  # of what is no picture
MOST_SESSIONS = 1_000  # whose signatures are kept
SAFE: Final = ("GET", "HEAD")
POLICY: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
# as they are sent with each answer that says nothing else
_DEFAULTS: Final = [
    (name.encode(), value.encode())
    for name, value in (*POLICY.items(), ("cache-control", "no-store"))
]


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may use a desk.

    Attributes:
        hosts: names under which it is asked for, without a port.
        token: that a browser must have shown once; None where loopback alone reaches the desk.
        user_header: in which a reverse proxy names the user; None without one.
        user: who it is where no proxy says so.
        upload_bytes: the most that a picture may have.
        secret: of this process; what it signs is worth nothing to the next one.
    """

    hosts: Collection[str] = NAMES_OF_LOOPBACK
    token: str | None = field(default=None, repr=False)
    user_header: str | None = None
    user: str
    upload_bytes: int
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def csrf_of(self, session: str) -> str:
        """Return what a page of a session sends along with what it changes."""
        return _signed(self.secret, session)


class TooLargeError(Exception):
    """A request has more bytes than it may; the app says so."""


class Guard:
    """Lets through what `Access` allows, and puts who asks into `scope["state"]`."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """Stand before an app."""
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI asks."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        access, headers = self._access, Headers(scope=scope)
        cookies = SimpleCookie(headers.get("cookie", ""))
        session = cookies[SESSION].value if SESSION in cookies else ""
        fresh = not session
        session = session or secrets.token_urlsafe(24)
        refused = self._refused(scope, headers, cookies, session)
        user = headers.get(access.user_header, "") if access.user_header else ""
        scope.setdefault("state", {}).update(
            user=user.strip() or access.user, session=session, csrf=access.csrf_of(session)
        )

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                added = [each for each in _DEFAULTS if each[0] not in there]
                if fresh:
                    added.append((b"set-cookie", _cookie(SESSION, session).encode()))
                message["headers"] = [*message["headers"], *added]
            await send(message)

        most = access.upload_bytes if scope["path"] == "/search/photo" else FORM_BYTES
        received = 0

        async def receive_bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most:
                raise TooLargeError(_too_large(most))
            return message

        app = refused or self._app
        if int(headers.get("content-length") or 0) > most:
            app = PlainTextResponse(_too_large(most), 413)
        await app(scope, receive_bounded, send_guarded)

    def _refused(
        self, scope: Scope, headers: Headers, cookies: SimpleCookie, session: str
    ) -> Response | None:
        """Return the answer to who may not pass, or None."""
        access = self._access
        host = headers.get("host", "")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if name.lower() not in access.hosts:
            # a page elsewhere that has given its name this address, else, could read all
            return PlainTextResponse(f"This desk is not served as '{name}'.", 421)
        if access.user_header and not headers.get(access.user_header, "").strip():
            return PlainTextResponse("Sign in where you came from; no user was named.", 401)
        if access.token and not self._has_token(cookies):
            return self._let_in(scope)
        if scope["method"] in SAFE:
            return None
        sent = headers.get(CSRF_HEADER, "")
        origin = headers.get("origin")
        here = origin is None or origin.partition("://")[2] == host
        if not here or not hmac.compare_digest(sent, access.csrf_of(session)):
            return PlainTextResponse("This page is no longer good; reload it and try again.", 403)
        return None

    def _has_token(self, cookies: SimpleCookie) -> bool:
        shown = cookies[TOKEN].value if TOKEN in cookies else ""
        return hmac.compare_digest(shown, self._of_token())

    def _of_token(self) -> str:
        return hashlib.sha256(f"desk {self._access.token}".encode()).hexdigest()

    def _let_in(self, scope: Scope) -> Response:
        """Take a token from the address, once, and keep it in a cookie."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        shown = query.pop("token", [""])[0]
        if scope["method"] in SAFE and hmac.compare_digest(
            shown.encode(), (self._access.token or "").encode()
        ):
            rest = urlencode(query, doseq=True)
            answer = RedirectResponse(scope["path"] + (f"?{rest}" if rest else ""), 303)
            answer.headers.append("set-cookie", _cookie(TOKEN, self._of_token()))
            return answer
        return PlainTextResponse(
            "A token is needed: open the address that the desk printed when it started.", 401
        )


@lru_cache(MOST_SESSIONS)  # a sheet's sixty pictures are asked for in the same session
def _signed(secret: bytes, session: str) -> str:
    return hmac.digest(secret, session.encode(), "sha256").hex()


def _cookie(name: str, value: str) -> str:
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Strict"


def _too_large(most: int) -> str:
    return f"More than {most / 1e6:,.0f} MB cannot be sent here."

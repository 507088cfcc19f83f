"""Talking to a host's REST API: bounded, no redirect followed, the token shown to nobody but the server that was named."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.parse import urlsplit

from gitmlog.core.errors import RemoteError, UsageError
from gitmlog.core.paths import display

MAX_ANSWER = 16 << 20
MAX_PAGES = 200
_TIMEOUT = 30
_BUSY = (429, 500, 502, 503, 504)


class BusyError(Exception):
    """The server did not answer, or says that it cannot now: asking again may help.

    Attributes:
        wait: seconds that it asks for, or 0.
    """

    def __init__(self, said: str, wait: float = 0.0) -> None:
        super().__init__(said)
        self.wait = wait


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> None:  # it would get the token too
        return None


@dataclass(frozen=True)
class Api:
    """One host's API.

    Attributes:
        url: its address, without a slash at the end.
        headers: what every request has; the token is one of them.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer to one request. Raises BusyError, RemoteError (kinds `host`, `host-auth`, `host-missing`)."""
        return self._ask(method, f"{self.url}{path}", body)[0]

    def pages(self, path: str) -> Iterator[Any]:
        """All entries of a list, page after page. Raises as `ask`."""
        url: str | None = f"{self.url}{path}"
        for _ in range(MAX_PAGES):
            if url is None:
                return
            entries, headers = self._ask("GET", url, None)
            if not isinstance(entries, list):
                raise _unexpected(url)
            yield from entries
            url = self._next(headers)
        raise RemoteError(f"{self.url} has more than {MAX_PAGES} pages of comments", kind="host", hint="delete old ones")

    def _next(self, headers: HTTPMessage) -> str | None:
        """The address of the page after this one (RFC 8288); one on another server is not asked, for it would get the token."""
        for part in ",".join(headers.get_all("Link") or ()).split(","):
            target, _, parameters = part.partition(";")
            if 'rel="next"' in parameters.replace(" ", ""):
                url = target.strip(" <>")
                if urlsplit(url)[:2] != urlsplit(self.url)[:2]:
                    raise RemoteError(f"{self.url} names another server for its next page", kind="host", hint=_HINT)
                return url
        return None

    def _ask(self, method: str, url: str, body: Mapping[str, Any] | None) -> tuple[Any, HTTPMessage]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"User-Agent": "gitmlog", "Content-Type": "application/json", **self.headers}
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - `check_api` has looked at it
        try:
            with urllib.request.build_opener(_NoRedirect).open(request, timeout=_TIMEOUT) as answer:
                return _read(answer, url), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                raise _refused(error, method, url) from None
        except (OSError, HTTPException) as error:
            raise BusyError(f"{_place(url)} does not answer: {getattr(error, 'reason', error)}") from error


_HINT = "check the address of the API, and whether a proxy stands between"


def check_api(url: str) -> str:
    """The address of an API, fit to be used. Raises UsageError, kind `host-variable`."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc and url.isprintable()
    except ValueError:
        fits = False
    if not fits:
        raise UsageError(f"{display(url)} is no address of an API", kind="host-variable", hint="it begins with https://")
    return url.rstrip("/")


def _read(answer: IO[bytes], url: str) -> Any:
    data = answer.read(MAX_ANSWER + 1)
    if len(data) > MAX_ANSWER:
        raise RemoteError(f"{_place(url)} answers with more than {MAX_ANSWER:,} bytes", kind="host", hint=_HINT)
    try:
        return json.loads(data or b"null")
    except (ValueError, RecursionError):
        raise _unexpected(url) from None


def _unexpected(url: str) -> RemoteError:
    return RemoteError(f"{_place(url)} answers with what is no answer of that API", kind="host", hint=_HINT)


def _refused(error: urllib.error.HTTPError, method: str, url: str) -> Exception:
    said = f"{_place(url)} answers {method} with {error.code}{_words(error)}"
    limited = error.code == 403 and (error.headers.get("Retry-After") or error.headers.get("X-RateLimit-Remaining") == "0")
    if error.code in _BUSY or limited:
        return BusyError(said, _seconds(error.headers.get("Retry-After")))
    if error.code in (401, 403):
        hint = "the token is wrong, has expired, or may not write comments: `gitmlog help hosts` says what it needs"
        return RemoteError(said, kind="host-auth", hint=hint)
    if error.code in (404, 410):
        hint = "the project or the pull request is not there, or this token may not see it"
        return RemoteError(said, kind="host-missing", hint=hint)
    return RemoteError(said, kind="host", hint=_HINT)


def _words(error: urllib.error.HTTPError) -> str:
    try:
        said = json.loads(error.read(1 << 16)).get("message", "")
    except (OSError, ValueError, AttributeError, RecursionError, HTTPException):
        return ""
    return f": {said[:200]!r}" if isinstance(said, str) and said else ""


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else 0.0


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"

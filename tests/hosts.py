"""The comments of two code hosts, as their documentation describes them; small servers on loopback, no real host.

GitHub: docs.github.com, REST API, issue comments. GitLab: docs.gitlab.com, notes API. Pages are small, so that they are followed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.gitservers import serving

TOKEN = "ghs_secret0123456789"
PAGE = 3


class HostServer(ThreadingHTTPServer):
    """Comments of one pull request.

    Attributes:
        comments: as the host keeps them: id, author, body, system.
        me: who bears the token; "" when it may not ask (a workflow's own of GitHub's).
        writer: whom what this token writes is attributed to.
        trouble: answers to give before the usual ones: status and headers.
        lose: how many writes are done, and their answer is a 502.
        requests: method and path of each.
    """

    daemon_threads = True

    def __init__(self, kind: str, me: str, writer: str) -> None:
        super().__init__(("127.0.0.1", 0), _GitHub if kind == "github" else _GitLab)
        self.me, self.writer = me, writer
        self.comments: list[dict[str, Any]] = []
        self.trouble: list[tuple[int, dict[str, str]]] = []
        self.lose = 0
        self.requests: list[tuple[str, str]] = []
        self.limit = 65_536 if kind == "github" else 1_000_000
        self.next_page_host = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def write(self, author: str, body: str, *, system: bool = False) -> dict[str, Any]:
        """Add a comment of anybody's."""
        made = {"id": 100 + len(self.comments), "author": author, "body": body, "system": system}
        self.comments.append(made)
        return made


class _Handler(BaseHTTPRequestHandler):
    server: HostServer

    def log_message(self, *arguments: object) -> None:
        return

    def answer(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {**(headers or {}), "Content-Length": str(len(data))}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def handle_any(self) -> None:
        self.server.requests.append((self.command, self.path))
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.trouble:
            status, headers = self.server.trouble.pop(0)
            self.answer(status, {"message": "on purpose"}, headers)
        elif not self.is_known():
            self.answer(401, {"message": "Bad credentials"})
        else:
            self.route(urlsplit(self.path).path, json.loads(data) if data else {})

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def page(self, entries: list[Any]) -> None:
        """One page of a list, and where the next one is (RFC 8288)."""
        query = parse_qs(urlsplit(self.path).query)
        number = int(query.get("page", ["1"])[0])
        shown = entries[(number - 1) * PAGE : number * PAGE]
        last = number * PAGE >= len(entries)
        base = (self.server.next_page_host or self.server.url) + urlsplit(self.path).path
        link = f'<{base}?per_page=100&page=1>; rel="first"'
        self.answer(200, shown, {"Link": link if last else f'<{base}?per_page=100&page={number + 1}>; rel="next", {link}'})

    def change(self, made: dict[str, Any], body: str, status: int) -> None:
        made["body"] = body
        if self.server.lose:
            self.server.lose -= 1
            self.answer(502, {"message": "the answer was lost"})
        else:
            self.answer(status, self.shown(made))

    def find(self, number: str) -> dict[str, Any] | None:
        return next((each for each in self.server.comments if str(each["id"]) == number), None)

    def is_known(self) -> bool:
        raise NotImplementedError

    def route(self, path: str, body: dict[str, Any]) -> None:
        raise NotImplementedError

    def shown(self, made: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError


class _GitHub(_Handler):
    def is_known(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def shown(self, made: dict[str, Any]) -> dict[str, Any]:
        author = {"login": made["author"]} if made["author"] else None
        return {"id": made["id"], "user": author, "body": made["body"], "html_url": f"https://host.example/c/{made['id']}"}

    def route(self, path: str, body: dict[str, Any]) -> None:
        if path == "/user":
            if self.server.me:
                self.answer(200, {"login": self.server.me})
            else:
                self.answer(403, {"message": "Resource not accessible by integration"})
        elif path == "/repos/team/models/issues/7/comments" and self.command == "GET":
            self.page([self.shown(each) for each in self.server.comments])
        elif path == "/repos/team/models/issues/7/comments" and self.command == "POST":
            if len(body["body"]) > self.server.limit:
                self.answer(422, {"message": "Validation Failed: body is too long"})
            else:
                self.change(self.server.write(self.server.writer, ""), body["body"], 201)
        elif (found := re.fullmatch(r"/repos/team/models/issues/comments/(\d+)", path)) and self.command == "PATCH":
            made = self.find(found[1])
            self.change(made, body["body"], 200) if made else self.answer(404, {"message": "Not Found"})
        else:
            self.answer(404, {"message": "Not Found"})


class _GitLab(_Handler):
    def is_known(self) -> bool:
        return self.headers.get("PRIVATE-TOKEN") == TOKEN

    def shown(self, made: dict[str, Any]) -> dict[str, Any]:
        return {"id": made["id"], "author": {"username": made["author"]}, "body": made["body"], "system": made["system"]}

    def route(self, path: str, body: dict[str, Any]) -> None:
        notes = "/projects/42/merge_requests/7/notes"
        if path == "/user":
            self.answer(200, {"username": self.server.me})
        elif path == notes and self.command == "GET":
            self.page([self.shown(each) for each in self.server.comments])
        elif path == notes and self.command == "POST":
            self.change(self.server.write(self.server.writer, ""), body["body"], 201)
        elif (found := re.fullmatch(rf"{notes}/(\d+)", path)) and self.command == "PUT":
            made = self.find(found[1])
            if made and made["author"] != self.server.me:
                self.answer(403, {"message": "403 Forbidden"})
            else:
                self.change(made, body["body"], 200) if made else self.answer(404, {"message": "404 Not found"})
        else:
            self.answer(404, {"message": "404 Not found"})


@contextmanager
def github(me: str = "", writer: str = "github-actions[bot]") -> Iterator[HostServer]:
    """GitHub's API for team/models#7."""
    server = HostServer("github", me, writer)
    with serving(server):
        yield server


@contextmanager
def gitlab(me: str = "project_42_bot") -> Iterator[HostServer]:
    """GitLab's API for project 42, merge request 7."""
    server = HostServer("gitlab", me, me)
    with serving(server):
        yield server

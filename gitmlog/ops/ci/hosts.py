"""The two hosts: how each lists, makes and changes the comments of a pull request, and who is asking."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from gitmlog.core.errors import RemoteError, UsageError
from gitmlog.core.paths import display
from gitmlog.ops.ci.http import Api, check_api

ACTIONS_BOT = "github-actions[bot]"
"""Whom GitHub names as the author of what a workflow's own token writes; that token may not ask who it is."""


@dataclass(frozen=True)
class Comment:
    """One comment: its id, the author's name for the host, its text, where people see it."""

    id: int
    author: str
    body: str
    url: str = ""


class Host(Protocol):
    """Where a pull request is discussed. All raise BusyError and RemoteError as `Api.ask`."""

    @property
    def limit(self) -> int:
        """Bytes of the longest comment."""

    def me(self) -> str:
        """The name that the comments of this token bear."""

    def comments(self) -> Iterator[Comment]:
        """All comments, the oldest first."""

    def create(self, body: str) -> Comment:
        """Write a new one."""

    def update(self, comment: Comment, body: str) -> Comment:
        """Change one of ours."""


@dataclass(frozen=True)
class GitHub:
    """GitHub's issue comments (a pull request is an issue).

    Attributes:
        repository: OWNER/NAME.
        number: of the pull request.
        author: who writes with this token, where it may not ask.
    """

    url: str
    token: str = field(repr=False)
    repository: str = ""
    number: str = ""
    author: str = ACTIONS_BOT
    limit: int = 65_536

    def __post_init__(self) -> None:
        _check("GITHUB_REPOSITORY", self.repository, r"[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}")
        _check("GITMLOG_PR", self.number, r"[1-9][0-9]{0,17}")
        _check_token("GITHUB_TOKEN", self.token)

    @property
    def _api(self) -> Api:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/vnd.github+json"}
        return Api(check_api(self.url), {**headers, "X-GitHub-Api-Version": "2022-11-28"})

    def me(self) -> str:
        """A person's token says who it is; to a workflow's own the question is forbidden."""
        try:
            return _text(self._api.ask("GET", "/user"), "login")
        except RemoteError as error:
            if error.kind == "host-auth" and " with 403" in error.message:
                return self.author
            raise

    def comments(self) -> Iterator[Comment]:
        for entry in self._api.pages(f"/repos/{self.repository}/issues/{self.number}/comments?per_page=100"):
            yield self._comment(entry)

    def create(self, body: str) -> Comment:
        return self._comment(self._api.ask("POST", f"/repos/{self.repository}/issues/{self.number}/comments", {"body": body}))

    def update(self, comment: Comment, body: str) -> Comment:
        return self._comment(self._api.ask("PATCH", f"/repos/{self.repository}/issues/comments/{comment.id}", {"body": body}))

    def _comment(self, entry: Any) -> Comment:
        author = entry.get("user") if isinstance(entry, dict) else None  # of an account that was deleted: null
        return Comment(_number(entry), _text(author, "login") if author else "", _text(entry, "body"), _text(entry, "html_url"))


@dataclass(frozen=True)
class GitLab:
    """GitLab's notes on a merge request.

    Attributes:
        project: its number, or GROUP/NAME.
        number: of the merge request within the project.
    """

    url: str
    token: str = field(repr=False)
    project: str = ""
    number: str = ""
    limit: int = 1_000_000

    def __post_init__(self) -> None:
        _check("CI_PROJECT_ID", self.project, r"[0-9]{1,18}|[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+")
        _check("CI_MERGE_REQUEST_IID", self.number, r"[1-9][0-9]{0,17}")
        _check_token("GITMLOG_TOKEN", self.token)

    @property
    def _api(self) -> Api:
        return Api(check_api(self.url), {"PRIVATE-TOKEN": self.token})

    @property
    def _notes(self) -> str:
        return f"/projects/{quote(self.project, safe='')}/merge_requests/{self.number}/notes"

    def me(self) -> str:
        return _text(self._api.ask("GET", "/user"), "username")

    def comments(self) -> Iterator[Comment]:
        for entry in self._api.pages(f"{self._notes}?per_page=100&sort=asc&order_by=created_at"):
            if isinstance(entry, dict) and not entry.get("system"):
                yield self._comment(entry)

    def create(self, body: str) -> Comment:
        return self._comment(self._api.ask("POST", self._notes, {"body": body}))

    def update(self, comment: Comment, body: str) -> Comment:
        return self._comment(self._api.ask("PUT", f"{self._notes}/{comment.id}", {"body": body}))

    def _comment(self, entry: Any) -> Comment:
        author = entry.get("author") if isinstance(entry, dict) else None
        return Comment(_number(entry), _text(author, "username") if author else "", _text(entry, "body"))


def _check(variable: str, value: str, form: str) -> None:
    if not re.fullmatch(form, value):
        what = f"{variable} is {display(value)}, which it cannot be" if value else f"the variable {variable} is not set"
        hint = "a pipeline of a pull request sets it: `gitmlog help hosts` lists what each host needs"
        raise UsageError(what, kind="host-variable", hint=hint)


def _check_token(variable: str, value: str) -> None:
    """Never shown, not even when it is wrong."""
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        what = f"{variable} is no token: it has a space or a character that no token has" if value else f"{variable} is not set"
        hint = "`gitmlog help hosts` says which token, and what it must be permitted"
        raise UsageError(what, kind="host-variable", hint=hint)


def _number(entry: Any) -> int:
    found = entry.get("id") if isinstance(entry, dict) else None
    if not isinstance(found, int):
        raise RemoteError("the host's answer has no id", kind="host", hint="check the address of the API")
    return found


def _text(entry: Any, key: str) -> str:
    found = entry.get(key) if isinstance(entry, dict) else None
    return found if isinstance(found, str) else ""

"""Who the user is, as git knows them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitmlog.git.plumbing import identity_variables
from gitmlog.git.repository import GitRepo

if TYPE_CHECKING:
    import pygit2

_FORBIDDEN = re.compile("[<>\x00-\x1f\x7f]")
_EDGES = " .,:;\"\\'"  # git takes these off, too


@dataclass(frozen=True)
class Identity:
    """Who commits; `fallback` when git was told neither name nor address, or only one of them."""

    name: str
    email: str
    fallback: bool = False


def identity(repo: GitRepo) -> Identity:
    """The user's name and address: from the environment, else from git's configuration, else `USER <USER@HOST>`. Never fails."""
    variables, config = identity_variables(), _config(repo)
    name = _first([variables.get("GIT_COMMITTER_NAME"), variables.get("GIT_AUTHOR_NAME"), *_values(config, "name")])
    email = _first([variables.get("GIT_COMMITTER_EMAIL"), variables.get("GIT_AUTHOR_EMAIL"), *_values(config, "email")])
    email = email or _first([variables.get("EMAIL")])
    if name and email:
        return Identity(name, email)
    user, host = _machine_user()
    return Identity(name or user, email or f"{user}@{host}", fallback=True)


def _config(repo: GitRepo) -> pygit2.Config | None:
    import pygit2

    try:
        return repo.handle.config
    except pygit2.GitError:
        return None


def _values(config: pygit2.Config | None, what: str) -> list[str | None]:
    return [_value(config, f"{who}.{what}") for who in ("user", "author", "committer")]


def _value(config: pygit2.Config | None, key: str) -> str | None:
    import pygit2

    if config is None:
        return None
    try:
        return config[key]
    except (KeyError, ValueError, pygit2.GitError):
        return None


def _first(values: Iterable[str | None]) -> str:
    return next((clean for value in values if value and (clean := _clean(value))), "")


def _clean(text: str) -> str:
    """What git would keep of a name: no brackets, no line end; always UTF-8."""
    plain = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _FORBIDDEN.sub("", plain).strip(_EDGES)


def _machine_user() -> tuple[str, str]:
    import getpass
    import os
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such user in the password database, as in many containers
        user = f"uid{os.getuid()}"
    return _clean(user) or "unknown", _clean(socket.gethostname()) or "localhost"
